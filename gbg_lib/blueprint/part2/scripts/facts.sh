#!/bin/bash
# AfterInstall: write down what the page shows of this instance (IMDSv2).
set -eu
metadata=http://169.254.169.254/latest
token=$(curl -fsS -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" $metadata/api/token)
fact() { curl -fsS -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/$1"; }

mkdir -p /etc/release-page
{
  echo "image=$(fact ami-id)"
  echo "instance=$(fact instance-id)"
  echo "zone=$(fact placement/availability-zone)"
  echo "deployment=$DEPLOYMENT_ID"
} > /etc/release-page/instance.properties
chmod 644 /etc/release-page/instance.properties
cat /etc/release-page/instance.properties
echo "OK: facts of the instance written"
