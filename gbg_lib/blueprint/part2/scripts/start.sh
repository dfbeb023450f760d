#!/bin/bash
# ApplicationStart. Enables Tomcat as well, so that the application survives a reboot.
set -eu
systemctl enable tomcat10
systemctl start tomcat10
systemctl is-active tomcat10
echo "OK: Tomcat is started"
