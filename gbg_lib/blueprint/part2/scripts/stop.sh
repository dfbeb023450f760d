#!/bin/bash
# ApplicationStop. Runs from the revision that was here before; on a fresh instance there is none.
set -eu
systemctl stop tomcat10
echo "OK: Tomcat is stopped"
