# what: json, csv, zip, gzip, bz2, lzma, tar, configparser, xml, html, base64, struct, pickle.
# expect_result: [1, "b", "zipped", true, true, true, "tarred", "v", "text", [1, 2], {"k": 1}]
import bz2
import configparser
import csv
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import xml.etree.ElementTree
import zipfile

with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("x", "zipped")
with tarfile.open("a.tar.gz", "w:gz") as archive:
    information = tarfile.TarInfo("x")
    information.size = 6
    archive.addfile(information, io.BytesIO(b"tarred"))
config = configparser.ConfigParser()
config.read_string("[s]\nk = v\n")
block = b"data" * 1000
result = [json.loads('{"a": 1}')["a"], list(csv.reader(["a,b"]))[0][1], zipfile.ZipFile("a.zip").read("x").decode(),
          gzip.decompress(gzip.compress(block)) == block, bz2.decompress(bz2.compress(block)) == block,
          lzma.decompress(lzma.compress(block)) == block, tarfile.open("a.tar.gz").extractfile("x").read().decode(),
          config["s"]["k"], xml.etree.ElementTree.fromstring("<a>text</a>").text, list(struct.unpack("<HH", b"\1\0\2\0")),
          pickle.loads(pickle.dumps({"k": 1}))]
