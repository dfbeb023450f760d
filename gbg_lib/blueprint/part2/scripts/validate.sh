#!/bin/bash
# ValidateService: this very commit must answer, not merely something on port 8080.
set -u
commit=$(cat "$(dirname "$0")/../commit")
answer="nothing yet"
for _ in $(seq 600); do
  answer=$(curl -fsS --max-time 5 http://localhost:8080/health 2>&1)
  case $answer in
    *"\"commit\": \"$commit\""*)
      echo "$answer"
      echo "OK: commit $commit answers"
      exit 0 ;;
  esac
  systemctl is-active --quiet tomcat10 || break
  sleep 0.25
done
tail -n 20 /var/log/tomcat10/catalina*.log
echo "FAILED: commit $commit does not answer; last answer: ${answer:0:300}"
exit 1
