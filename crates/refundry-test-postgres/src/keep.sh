# Makes a folder for a cluster, says where, and waits for the end of standard input: the other end of that pipe closes
# when whoever started the cluster is done with it, or is gone in whatever way, SIGKILL included. Then stops the server
# and removes the folder.
# Arguments: parent folder, path of pg_ctl, user to run it as (empty: the one we are).
set -eu
parent=$1
pg_ctl=$2
user=$3

clean() {
    cd /
    if [ -f "$folder/data/postmaster.pid" ]; then
        if [ -n "$user" ]; then
            set -- setpriv "--reuid=$user" "--regid=$user" --init-groups -- "$pg_ctl"
        else
            set -- "$pg_ctl"
        fi
        # It may have crashed, or been killed, as part of the test: the folder has to go all the same.
        "$@" stop -D "$folder/data" -m immediate -s || true
    fi
    rm -rf "$folder"
}

folder=$(mktemp -d "$parent/refundry-postgres.XXXXXX")
trap 'exit 1' HUP INT TERM
trap clean EXIT
if [ -n "$user" ]; then
    chown "$user" "$folder"
fi
echo "$folder"
read -r _ || true
