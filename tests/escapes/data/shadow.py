# Stands for a module of the standard library, put into the workspace by a hostile caller.
print("shadowed-by-workspace")
raise SystemExit(3)
