#!/usr/bin/python3
"""canon_repodata.py DIR: print a repository's metadata so that two makers' outputs can be compared line by line.

Every file that repomd.xml names is checked against its digests and sizes, parsed with xml.etree and printed with
one element a line: packages sorted, their children in order. Left out are the file time of a package, and of
repomd.xml the revision, the timestamps and what depends on compression and on the names of files."""
import bz2, gzip, hashlib, lzma, os, subprocess, sys
import xml.etree.ElementTree as ET

REPO = '{http://linux.duke.edu/metadata/repo}'


def unpacked(path, data):
    if path.endswith('.gz'):
        return gzip.decompress(data)
    if path.endswith('.bz2'):
        return bz2.decompress(data)
    if path.endswith('.xz'):
        return lzma.decompress(data)
    if path.endswith('.zst'):
        return subprocess.run(['zstd', '-dc'], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def lines(element, depth):
    attributes = dict(element.attrib)
    if element.tag.endswith('}time'):
        attributes.pop('file', None)
    text = element.text or ''
    yield f'{"  " * depth}{element.tag} {sorted(attributes.items())!r} {text if not len(element) else text.strip()!r}'
    for child in element:
        yield from lines(child, depth + 1)
    if (element.tail or '').strip():
        yield f'{"  " * depth}tail {element.tail!r}'


def main(folder):
    repomd = ET.parse(os.path.join(folder, 'repodata', 'repomd.xml')).getroot()
    for data in sorted(repomd.iter(REPO + 'data'), key=lambda d: d.get('type')):
        path = os.path.join(folder, data.find(REPO + 'location').get('href'))
        packed = open(path, 'rb').read()
        plain = unpacked(path, packed)
        for name, content, size in (('checksum', packed, 'size'), ('open-checksum', plain, 'open-size')):
            want = data.find(REPO + name)
            if hashlib.new(want.get('type'), content).hexdigest() != want.text:
                sys.exit(f'{path}: wrong {name}')
            if int(data.find(REPO + size).text) != len(content):
                sys.exit(f'{path}: wrong {size}')
        root = ET.fromstring(plain)
        print(data.get('type'), [c.tag for c in data], root.tag, sorted(root.attrib.items()))
        for package in sorted('\n'.join(lines(p, 1)) for p in root):
            print(package)


main(sys.argv[1])
