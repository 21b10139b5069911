#!/usr/bin/env bash
# two_nodes.sh FOLDER COMMAND…: run a command on the head of a two-node Slurm on this machine.
# Head and nodes each have a network and a host name of their own; the nodes also their own
# processes, so that `kill -9 $(cat FOLDER/node1.pid)` is a power cut. Files are shared. Needs root
# and Slurm (apt-get install slurm-wlm); changes nothing outside FOLDER, and ends with the command.
set -euo pipefail
folder=$(realpath -m "$1")
if [ -z "${TWO_NODES-}" ]; then
  TWO_NODES=here exec unshare --net --mount --uts bash "$0" "$@"
fi
hostname head # of the new name space
shift
mkdir -p "$folder"/{munge,state,log,run,etc}
chmod 711 "$folder" "$folder/munge"
dd if=/dev/urandom of="$folder/munge/key" bs=128 count=1 status=none
chmod 600 "$folder/munge/key"
printf '127.0.0.1 localhost\n10.77.0.1 head\n10.77.0.11 node1\n10.77.0.12 node2\n' >"$folder/hosts"

cat >"$folder/etc/slurm.conf" <<CONF
ClusterName=two
SlurmctldHost=head(10.77.0.1)
SlurmUser=root
SlurmdUser=root
AuthInfo=socket=$folder/munge/socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
PropagateResourceLimits=NONE
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/log/jobs.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory,CR_LLN
SchedulerParameters=batch_sched_delay=1,sched_interval=5,bf_interval=5
SlurmdTimeout=15
MinJobAge=3600
KillWait=5
GresTypes=gpu
NodeName=node1 NodeAddr=10.77.0.11 CPUs=2 RealMemory=4000 Gres=gpu:1
NodeName=node2 NodeAddr=10.77.0.12 CPUs=2 RealMemory=4000 Gres=gpu:1
PartitionName=main Nodes=node[1-2] Default=YES MaxTime=INFINITE
CONF
for n in 1 2; do
  mknod "$folder/gpu$n" c 1 3 # a GPU in name only
  echo "NodeName=node$n Name=gpu File=$folder/gpu$n" >>"$folder/etc/gres.conf"
done
printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' >"$folder/etc/cgroup.conf"
mount --bind "$folder/etc" /etc/slurm
mount --bind "$folder/hosts" /etc/hosts

end() {
  for file in "$folder"/{node1.pid,node2.pid,run/slurmctld.pid,munge/pid}; do
    [ ! -s "$file" ] || kill -9 "$(cat "$file")" 2>/dev/null || true
  done
}
trap end EXIT

ip link set lo up
ip link add switch type bridge
ip address add 10.77.0.1/24 dev switch
ip link set switch up
for n in 1 2; do
  unshare --net --mount --uts --pid --fork --kill-child --mount-proc bash -c "
    hostname node$n
    until ip link set eth0 up 2>/dev/null; do sleep 0.1; done
    ip link set lo up
    ip address add 10.77.0.1$n/24 dev eth0
    slurmd -D -N node$n" >"$folder/log/node$n" 2>&1 &
  echo $! >"$folder/node$n.pid"
  disown
  until [ "$(readlink "/proc/$!/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
  ip link add "port$n" master switch up type veth peer name eth0 netns $!
done
munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
  --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"
slurmctld
for _ in $(seq 60); do
  [ "$(sinfo --noheader --Node --states idle | wc -l)" = 2 ] && break
  sleep 0.5
done
sinfo --Node
"$@"
