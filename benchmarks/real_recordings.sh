#!/usr/bin/env bash
# The rows in results/, from the archives: three seeds a setting, nothing chosen on test recordings.
#
#     benchmarks/real_recordings.sh ARCHIVES WORK [JOBS]
#
# ARCHIVES holds hdm05_11classes.zip, berkeley_mhad_30fps.zip and nw_ucla.zip; WORK gets data/, runs/, rows/ and logs/. Started
# again, it goes on where it was. One thread a job: two jobs on two cores give more than one job on both.
set -eu
archives=$(cd "$1" && pwd)
mkdir -p "$2"
cd "$2"
mkdir -p data runs rows logs
export OMP_NUM_THREADS=1

[ -d data/hdm05 ] || motionprint prepare hdm05 "$archives/hdm05_11classes.zip" --out data/hdm05
[ -d data/mhad ] || motionprint prepare berkeley_mhad "$archives/berkeley_mhad_30fps.zip" --out data/mhad
[ -d data/nw_ucla ] || motionprint prepare nw_ucla "$archives/nw_ucla.zip" --out data/nw_ucla

one() { # NAME DATASET PROTOCOL SEED [pretrain's options]
    name=$1-s$4 data=data/$2 protocol=$3 seed=$4 labels=1,2,5,all
    case $1 in *-ele | *-noF | *-settings-* | *-300-*) labels=all ;; esac # these do not ask about few labels
    shift 4
    [ -s "rows/$name.jsonl" ] && return
    motionprint pretrain "$data" --out "runs/$name" --protocol "$protocol" --seed "$seed" --device cpu --resume "$@" \
        >"logs/$name.log" 2>&1
    motionprint evaluate "runs/$name" "$data" --out "rows/$name.jsonl" --features states,F --labels-per-class "$labels" \
        >>"logs/$name.log" 2>&1
    echo "$name"
}
export -f one

precisions() { # float32 beside bf16, shorter runs
    for seed in 0 1 2 3 4; do
        for precision in float32 bf16; do
            echo "nw-300-$precision nw_ucla cross-view $seed --steps 300 --precision $precision"
            echo "mhad-300-$precision mhad cross-subject $seed --steps 300 --precision $precision"
        done
    done
}

for seed in 0 1 2; do
    cat <<END
hdm05 hdm05 cross-subject $seed
mhad mhad cross-subject $seed
nw-crossview nw_ucla cross-view $seed
nw-dedup nw_ucla cross-view-dedup $seed
END
    for corpus in "nw nw_ucla cross-view" "mhad mhad cross-subject"; do
        read -r short data protocol <<<"$corpus"
        cat <<END
$short-ele $data $protocol $seed --loss elementwise
$short-noF $data $protocol $seed --condition none
$short-noF-ele $data $protocol $seed --condition none --loss elementwise
END
    done
done | cat - <(precisions) <(printf 'nw-settings-%s nw_ucla cross-view-settings %s --steps %s\n' 1000 0 1000 1000 1 1000 2500 0 2500) | xargs -P "${3:-1}" -L 1 bash -euc 'one "$@"' one
