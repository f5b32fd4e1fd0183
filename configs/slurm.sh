#!/bin/bash
# lungreg as a job of SLURM, on one node or several. From the folder of the configuration:
#
#   sbatch configs/slurm.sh infer -c lungreg.yaml
#   sbatch --nodes=4 --exclusive configs/slurm.sh train -c lungreg.yaml --set train.workers=4
#
# Several nodes must be the job's alone: at its end Ray stops all processes of Ray that are yours there.
# Five minutes before its time is up the job ends the run in order and queues itself again; a
# preempted job ends it in order too, and SLURM queues it again. It then goes on where it was.
# The stage (backend.root) and this folder must be seen by all nodes.
#
#SBATCH --job-name=lungreg
#SBATCH --nodes=1 --ntasks-per-node=1 --cpus-per-task=16 --mem=64G
#SBATCH --gpus-per-node=1
#SBATCH --time=08:00:00
#SBATCH --signal=B:USR1@300 --requeue --open-mode=append
set -u
# source /path/to/venv/bin/activate

verb=${1:?usage: sbatch configs/slurm.sh infer|train [OPTIONS]}
shift
log=lungreg-$SLURM_JOB_ID.log # what lungreg said, in every start of this job
run_file=$PWD/lungreg-$SLURM_JOB_ID.run # the id of its run, which lungreg writes as it begins
pid_file=lungreg-$SLURM_JOB_ID.pid
nodes=${SLURM_JOB_NUM_NODES:-1}
cpus=${SLURM_CPUS_PER_TASK:-1}
port=${RAY_PORT:-6379}
export RAY_TMPDIR=${RAY_TMPDIR:-/tmp} # the TMPDIR of a job is often too long for Ray's sockets

rm -f "$pid_file"
run=$(cat "$run_file" 2>/dev/null)
command=(env LUNGREG_RUN_FILE="$run_file" lungreg "$verb")
for word in "$@"; do
  # A run that is gone on with has its cases: it refuses to look for new ones.
  { [ -n "$run" ] && [ "$word" = --new ]; } || command+=("$word")
done
[ -z "$run" ] || command+=(--resume "$run")

# Waits until all nodes have joined; fails after five minutes.
wait_for_nodes() {
  local count='import ray, sys; ray.init(sys.argv[1], logging_level="ERROR", log_to_driver=False)
sys.exit(sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]))'
  for _ in $(seq 60); do
    python -c "$count" "$1" "$nodes" 2>/dev/null && return
    sleep 5
  done
  echo "not all of $nodes nodes have joined Ray at $1 within five minutes" >&2
  exit 1
}

in_ray=()
if [ "$nodes" -gt 1 ]; then
  # One secret for all nodes. Without it anybody's process could join, and where a file of an earlier
  # Ray in the home folder makes the head ask for one, the other nodes would not know it.
  export RAY_AUTH_MODE=token
  export RAY_AUTH_TOKEN=${RAY_AUTH_TOKEN:-$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')}
  export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300 # seconds until all nodes have joined
  # Seconds after which the other nodes end when the head has: all of them wait for that.
  export RAY_gcs_rpc_server_reconnect_timeout_s=${RAY_gcs_rpc_server_reconnect_timeout_s:-30}
  head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
  # srun does not take the number of cores from the job (SLURM 22.05 and later).
  on_all=(srun --nodes="$nodes" --ntasks="$nodes" --cpus-per-task="$cpus")
  on_head=(srun --overlap --nodes=1 --ntasks=1 --cpus-per-task="$cpus" --nodelist="$head")
  on_rest=(srun --overlap --nodes=$((nodes - 1)) --ntasks=$((nodes - 1))
    --cpus-per-task="$cpus" --exclude="$head")
  if ray symmetric-run --help >/dev/null 2>&1; then
    in_ray=("${on_all[@]}" ray symmetric-run --address "$head:$port"
      --min-nodes "$nodes" --num-cpus="$cpus" --)
  else
    # By its address as the others see it: by itself Ray may take one that they do not reach.
    head=$("${on_rest[@]}" getent ahostsv4 "$head" | awk 'NR == 1 {print $1}')
    start=(ray start --num-cpus="$cpus" --block)
    "${on_head[@]}" "${start[@]}" --head --node-ip-address="$head" --port="$port" &
    "${on_rest[@]}" "${start[@]}" --address="$head:$port" &
    wait_for_nodes "$head:$port"
  fi
  command=(env RAY_ADDRESS="$head:$port" "${command[@]}")
fi

# The process writes its number down, since srun and symmetric-run do not pass signals on.
${in_ray[@]+"${in_ray[@]}"} bash -c 'echo $$ >"$0"; exec "$@"' "$pid_file" "${command[@]}" \
  > >(tee -a "$log") 2>&1 &
started=$!

# Ends the run in order, as Ctrl-C does; "again" queues this job once more.
stop() {
  trap '' USR1 TERM
  kill -TERM "$(cat "$pid_file" 2>/dev/null || echo "$started")" 2>/dev/null
  wait "$started"
  code=$?
  rm -f "$pid_file"
  if [ "$1" = again ] && [ "$code" -ne 0 ]; then
    scontrol requeue "$SLURM_JOB_ID"
  fi
  exit "$code"
}
trap 'stop again' USR1 # the time is nearly up
trap 'stop preempted' TERM # SLURM queues a preempted job again itself

wait "$started"
code=$?
rm -f "$pid_file"
exit "$code"
