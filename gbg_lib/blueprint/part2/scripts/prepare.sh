#!/bin/bash
# BeforeInstall: make room. Checks first that this instance is what the revision needs.
set -eu
fail() { echo "FAILED: $1"; exit 1; }

[ -e /etc/golden-ami ] || fail "this instance was not made from a golden AMI (no /etc/golden-ami)"
rpm -q tomcat10 || fail "the image has no tomcat10"
java -version || fail "the image has no Java"
# Image and application of one release go together: what launches at the wrong moment is refused, and tried again.
release=$(cat "$(dirname "$0")/../release")
baked=$(sed -n 's/^release=//p' /etc/golden-ami)
[ "$baked" = "$release" ] || fail "a mixture: this image was baked for release $baked, the application is of $release"

systemctl stop tomcat10
rm -rf /var/lib/tomcat10/webapps/ROOT /var/lib/tomcat10/webapps/ROOT.war
echo "OK: $(head -n 1 /etc/golden-ami), ready for the application"
