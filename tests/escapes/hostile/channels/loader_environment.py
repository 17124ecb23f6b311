# what: Variables of the dynamic loader and the C library given by the caller must not reach the sandbox's init.
# expect: status=ok|error|failed|rejected|unavailable
# flags: -e LD_PRELOAD=/workspace/evil.so -e LD_AUDIT=/workspace/evil.so -e LD_DEBUG=all -e LD_DEBUG_OUTPUT=/workspace/debug -e GCONV_PATH=/workspace -e MALLOC_PERTURB_=1
# wall_ms_max: 8000
# host_check: no_processes
result = 1
