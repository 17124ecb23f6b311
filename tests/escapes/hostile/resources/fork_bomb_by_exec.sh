# what: A chain of programs that start themselves twice and exit, so that pids change all the time.
# expect: status=process_limit|timeout
# flags: --timeout 5s --pids-limit 32
# wall_ms_max: 8000
# host_check: no_processes
export self='bash -c "$self" & bash -c "$self" & exit'
bash -c "$self"
sleep 100
