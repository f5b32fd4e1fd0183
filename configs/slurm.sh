#!/bin/bash
# lungreg as a job of SLURM, on one node or several. From the folder of the configuration:
#
#   sbatch configs/slurm.sh infer -c lungreg.yaml
#   sbatch --nodes=4 configs/slurm.sh train -c lungreg.yaml --set train.workers=4
#
# Three minutes before its time is up the job ends the run in order and queues itself again; a
# preempted job ends it in order too, and SLURM queues it again. It then goes on where it was.
# The stage (backend.root) and this folder must be seen by all nodes.
#
#SBATCH --job-name=lungreg
#SBATCH --nodes=1 --ntasks-per-node=1 --cpus-per-task=16 --mem=64G
#SBATCH --gpus-per-node=1
#SBATCH --time=08:00:00
#SBATCH --signal=B:USR1@180 --requeue --open-mode=append
set -u
# source /path/to/venv/bin/activate

verb=${1:?usage: sbatch configs/slurm.sh infer|train [OPTIONS]}
shift
log=lungreg-$SLURM_JOB_ID.log # what lungreg said, in every start of this job
pid_file=lungreg-$SLURM_JOB_ID.pid
nodes=${SLURM_JOB_NUM_NODES:-1}
cpus=${SLURM_CPUS_PER_TASK:-1}
port=${RAY_PORT:-6379}
export RAY_TMPDIR=${RAY_TMPDIR:-/tmp} # the TMPDIR of a job is often too long for Ray's sockets

rm -f "$pid_file"
run=$(grep -ohE "$verb-[0-9]{8}[0-9A-Za-z-]*" "$log" 2>/dev/null | tail -n 1)
command=(lungreg "$verb" "$@")
[ -z "$run" ] || command+=(--resume "$run")

# Waits until all nodes have joined; fails after two minutes.
wait_for_nodes() {
  local count='import ray, sys; ray.init(sys.argv[1], logging_level="ERROR", log_to_driver=False)
sys.exit(sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]))'
  for _ in $(seq 24); do
    python -c "$count" "$1" "$nodes" 2>/dev/null && return
    sleep 5
  done
  echo "not all of $nodes nodes have joined Ray at $1 within two minutes" >&2
  exit 1
}

in_ray=()
if [ "$nodes" -gt 1 ]; then
  head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
  if ray symmetric-run --help >/dev/null 2>&1; then
    in_ray=(srun --nodes="$nodes" --ntasks="$nodes" ray symmetric-run
      --address "$head:$port" --min-nodes "$nodes" --num-cpus="$cpus" --)
  else
    start=(ray start --num-cpus="$cpus" --block)
    srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" "${start[@]}" --head --port="$port" &
    srun --overlap --nodes=$((nodes - 1)) --ntasks=$((nodes - 1)) --exclude="$head" \
      "${start[@]}" --address="$head:$port" &
    wait_for_nodes "$head:$port"
  fi
  command=(env RAY_ADDRESS="$head:$port" "${command[@]}")
fi

# The process writes its number down, since srun and symmetric-run do not pass signals on.
"${in_ray[@]}" bash -c 'echo $$ >"$0"; exec "$@"' "$pid_file" "${command[@]}" \
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
