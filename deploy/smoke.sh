#!/usr/bin/env bash
# Four shards on a real account, twice: as an array job, and by the state machine that starts a job a shard. Both digests
# must be that of a run on this machine. Costs a few cents and leaves two runs that the bucket deletes by itself.
#
#   deploy/smoke.sh STACK PROGRAM
#
# STACK is deployed from croupier.yaml, its image is of the same source as PROGRAM, and the AWS CLI may do what the
# stack's SubmitRole may.
set -euo pipefail

if [ $# -ne 2 ]; then
  echo "usage: $0 STACK PROGRAM, such as: $0 croupier target/release/examples/pi" >&2
  exit 2
fi
stack=$1
program=$2
sample=(--samples 1e8 --seed 7 --block 65536)
# Capacity may take its time; a job that waits for longer waits for something that does not come.
most_seconds=${SMOKE_SECONDS:-1800}
pause_seconds=${SMOKE_PAUSE_SECONDS:-10}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The value of one of the stack's outputs.
output() {
  local value
  value=$(aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue")
  if [ -z "$value" ] || [ "$value" = None ]; then
    echo "error: the stack $stack has no output $1" >&2
    return 1
  fi
  printf '%s\n' "$value"
}

# The digest in a result that comes as JSON.
digest() {
  sed -n 's/^  "digest": "\([0-9a-f]*\)",*$/\1/p'
}

# Waits until a command prints the word for success.
wait_for() {
  local success=$1 status='' last=''
  shift
  SECONDS=0
  while true; do
    status=$("$@")
    if [ "$status" != "$last" ]; then echo "  $status after $SECONDS s" >&2; fi
    last=$status
    case $status in
      "$success") return ;;
      FAILED | TIMED_OUT | ABORTED) return 1 ;;
    esac
    if [ "$SECONDS" -gt "$most_seconds" ]; then
      echo "error: nothing came of it in $most_seconds s: look at the queue and its compute environment" >&2
      return 1
    fi
    sleep "$pause_seconds"
  done
}

# Submits a job, with its name, queue, definition, command and whatever else, and waits until it has succeeded.
job() {
  local name=$1 queue=$2 definition=$3 command=$4 id
  shift 4
  id=$(aws batch submit-job --job-name "$name" --job-queue "$queue" --job-definition "$definition" \
    --container-overrides "{\"command\": $command}" --query jobId --output text "$@")
  echo "job $name $id" >&2
  wait_for SUCCEEDED aws batch describe-jobs --jobs "$id" --query 'jobs[0].status' --output text
}

store=$(output Store)/_scratch
machine=$(output Target | sed -n 's/^state-machine-arn = "\(.*\)"$/\1/p')
name=smoke-$(date -u +%Y%m%dT%H%M%SZ)

expected=$("$program" run "${sample[@]}" --alone --store "$scratch" --name local --json --no-progress | digest)
echo "this machine       $expected"

"$program" plan "${sample[@]}" --shards 4 --store "$store" --name "$name-array" >/dev/null
run=$store/$name-array
job "$name-array" "$stack-spot" "$stack-work" "[\"shard\", \"--run\", \"$run\"]" --array-properties size=4
job "$name-reduce" "$stack-fargate" "$stack-reduce" "[\"reduce\", \"--run\", \"$run\"]"
array=$("$program" reduce --run "$run" --json | digest)
echo "an array job       $array"

"$program" plan "${sample[@]}" --shards 4 --store "$store" --name "$name-map" >/dev/null
run=$store/$name-map
execution=$(aws stepfunctions start-execution --state-machine-arn "$machine" --name "$name" \
  --input "{\"run\": \"$run\", \"jobName\": \"$name\", \"items\": [0, 1, 2, 3]}" --query executionArn --output text)
echo "execution $execution" >&2
wait_for SUCCEEDED aws stepfunctions describe-execution --execution-arn "$execution" --query status --output text
map=$("$program" reduce --run "$run" --json | digest)
echo "a state machine    $map"

if [ -z "$expected" ] || [ "$array" != "$expected" ] || [ "$map" != "$expected" ]; then
  echo "error: the digests differ" >&2
  exit 1
fi
echo "the digests are the same"
