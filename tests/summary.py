#!/usr/bin/python3
"""How many tests of a meson run passed and failed, from its JUnit log; what
was skipped counts as neither.

    tests/summary.py TESTLOG.junit.xml
"""

import sys
import xml.etree.ElementTree as ElementTree


def main():
    passed = failed = 0
    try:
        log = ElementTree.parse(sys.argv[1])
    except (OSError, ElementTree.ParseError):
        # A run that left no log is no test that passed.
        print(0, 0)
        return 1
    for case in log.iter('testcase'):
        marks = {child.tag for child in case}
        if marks & {'failure', 'error'}:
            failed += 1
        elif 'skipped' not in marks:
            passed += 1
    print(passed, failed)
    # A log without a test is a run that did not happen.
    return 0 if passed + failed else 1


if __name__ == '__main__':
    sys.exit(main())
