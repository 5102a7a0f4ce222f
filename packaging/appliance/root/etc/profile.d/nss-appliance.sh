# The admin's first login, by key: sudo will ask for a password, so it has to be set.
if [ "$(id -un)" = admin ] && [ -t 0 ]; then
    sudo -n /usr/lib/nss-appliance/first-password --if-missing || true
fi
