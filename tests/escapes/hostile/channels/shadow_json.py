# what: Put files and a PYTHONPATH replace the modules and start-up hooks that the harness loads.
# expect: status=ok
# expect_result: {"plain": 1}
# flags: --file json.py={data}/shadow.py --file struct.py={data}/shadow.py --file sitecustomize.py={data}/shadow.py --file usercustomize.py={data}/shadow.py --file traceback.py={data}/shadow.py --file os.py={data}/shadow.py -e PYTHONPATH=/workspace -e PYTHONSTARTUP=/workspace/sitecustomize.py -e PYTHONHOME=/workspace -e PYTHONINSPECT=1
# forbid: shadowed-by-workspace
result = {"plain": 1}
