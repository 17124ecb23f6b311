# what: Writes through a put file's name into other folders (the request itself is hostile).
# expect: status=rejected|unavailable|failed|refused
# flags: --file ../../planted={data}/note.txt
# exit_code: 125|126
echo "this must not run"
