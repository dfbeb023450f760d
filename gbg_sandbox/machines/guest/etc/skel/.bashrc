. /etc/bashrc
