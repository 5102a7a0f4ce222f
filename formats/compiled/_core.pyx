# cython: language_level=3, cdivision=True, wraparound=False, boundscheck=False
"""The plan of a pipeline over a batch of records in one pass, without the interpreter lock.

It reads, checks and prints what it is certain of, and hands over every other record. Nothing in
the pass touches a Python object. Indices of pointers are argued for where they are not obvious:

    records     a byte is read where `at < end` was seen; `end` is that of the batch
    scratch     as large as the batch; a record's texts take less than the record
    lines       `has_room` before each piece
    values      slots are checked in `Core.__init__`, keys lead to slots from there
"""

from cython cimport final
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT16_MAX, INT64_MAX, int16_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, memset


cdef extern from "simd.h" nogil:
    enum:
        WIDTH "NSS_WIDTH"
    const uint8_t* nss_plain_end(const uint8_t* at, const uint8_t* end)
    const uint8_t* nss_encoded_end(const uint8_t* at, const uint8_t* end)
    int nss_begins(const uint8_t* at, const uint8_t* end, const uint8_t* pattern, int size)
    uint8_t* nss_put(uint8_t* out, const uint8_t* source, Py_ssize_t size, int padded)


include "scan.pxi"
include "keys.pxi"
include "aside.pxi"
include "twins.pxi"
include "record.pxi"
include "cells.pxi"
include "pairs.pxi"
include "columns.pxi"
include "headers.pxi"
include "sequence.pxi"
include "lines.pxi"
include "moments.pxi"
include "render.pxi"
include "output.pxi"
include "run.pxi"
include "core.pxi"
include "arrays.pxi"
