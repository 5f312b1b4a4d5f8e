"""Rows from CSV and Parquet: right numbers, and one sentence for everything that is not."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from unmix.errors import UnmixError
from unmix.printable import listed, printable
from unmix.read_csv import BATCH
from unmix.read_table import read_table


@pytest.fixture
def file(tmp_path):
    def write(content: str | bytes, name: str = "data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refused(path, **options) -> str:
    with pytest.raises(UnmixError) as caught:
        read_table(path, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.isprintable()
    assert len(sentence) < 500
    return sentence


# --- what is read -------------------------------------------------------------------------------

SMALL = "name,a,b\nx,1,2.5\ny,-3e1,.5\nz, 4 ,6.\n"


def test_all_columns_of_numbers_by_default(file):
    frame = read_table(file(SMALL))
    assert frame.columns.to_list() == ["a", "b"]
    assert frame.to_numpy().tolist() == [[1, 2.5], [-30, 0.5], [4, 6]]
    assert frame.index.to_list() == [0, 1, 2]
    assert frame.attrs == {"left_out": {"name": "text"}, "encoding": "utf-8", "doubts": []}


def test_columns_come_in_the_order_asked_for(file):
    frame = read_table(file(SMALL), ["b", "a"])
    assert frame.columns.to_list() == ["b", "a"]
    assert frame["b"].to_list() == [2.5, 0.5, 6]
    assert frame.attrs["left_out"] == {}


def test_an_id_column_names_the_rows(file):
    frame = read_table(file(SMALL), id="name")
    assert frame.columns.to_list() == ["a", "b"]
    assert frame.index.to_list() == ["x", "y", "z"]
    assert frame.index.name == "name"


def test_ids_that_are_whole_numbers_are_numbers_unless_zeros_would_be_lost(file):
    whole = read_table(file("id,a\n10,1\n9,2\n"), id="id")
    assert whole.index.to_list() == [10, 9]
    assert read_table(file("id,a\n010,1\n9,2\n"), id="id").index.to_list() == ["010", "9"]


# Halfway cases, and the largest number: what a quick parser gets wrong in the last place.
def test_numbers_are_read_to_the_last_digit(file):
    texts = ["0.1", "1e23", "4.35", "5.444310e-05", "1.7976931348623157e308", "9007199254740993"]
    frame = read_table(file("a\n" + "\n".join(texts) + "\n"))
    assert frame["a"].to_list() == [float(t) for t in texts]


def test_batches_join_without_a_seam(file):
    n = 2 * BATCH + 3
    frame = read_table(file("i,t\n" + "".join(f"{i},x\n" for i in range(n))))
    assert np.array_equal(frame["i"], np.arange(n))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_blank_lines(file, end):
    frame = read_table(file(end.join(["a,b", "1,2", "", "3,4", ""])))
    assert frame.to_numpy().tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("latin-1", "latin-1")],
)
def test_encodings_and_byte_order_marks(file, encoding, said):
    frame = read_table(file("höhe,b\n1,2\n3,4\n".encode(encoding)))
    assert frame.columns.to_list() == ["höhe", "b"]
    assert frame.attrs["encoding"] == said


def test_quotes_commas_and_line_breaks_within_cells(file):
    frame = read_table(file('"a, in ""mm""","b\r\n(cm)",c\n"1",2,"x,\ny"\n3,"4",z\n'))
    assert frame.columns.to_list() == ['a, in "mm"', "b (cm)"]
    assert frame.to_numpy().tolist() == [[1, 2], [3, 4]]


def test_columns_that_are_not_used_may_hold_anything(file):
    path = file(f"a,a,c,b\nnan,inf,{'long' * 50_000},1\n,,\x1b[31m,2\n")
    assert read_table(path, ["b"])["b"].to_list() == [1, 2]


def test_a_column_without_a_name_is_left_out(file):
    frame = read_table(file('"","a"\n"1",5\n"2",7\n'))
    assert frame.columns.to_list() == ["a"]
    assert frame.attrs["left_out"] == {"column 1": "it has no name"}


# Spreadsheets and programs pad a column of remarks with a few numbers.
def test_mostly_text_is_a_text_column(file):
    frame = read_table(file("a,note\n1,ok\n2,12\n3,late\n"))
    assert frame.attrs["left_out"] == {"note": "text"}


def test_no_values_at_all_is_left_out(file):
    assert read_table(file("a,e\n1,\n2,NA\n")).attrs["left_out"] == {"e": "no values"}


# --- what is refused: the sentence names the column and the line ---------------------------------


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["empty"]),
        ("\n\n", ["empty"]),
        ("\ufeff", ["empty"]),
        ("a,b\n", ["no rows"]),
        ("a,b\n1,2\n3\n", ["line 3", "1 cells", "header has 2"]),
        ("a,b\n1,2\n3,4\n5,6,7\n", ["line 4", "3 cells"]),
        ("a\n1,2\n3,4\n", ["line 2", "2 cells"]),
        ('a,b\n1,"x\ny"\n2\n', ["line 4", "1 cells"]),
        ("a,a\n1,2\n3,4\n", ["'a'", "twice", "columns 1 and 2"]),
        ("a, a\n1,2\n3,4\n", ["'a'", "twice"]),
        ("a,b\n1,2\nx,4\n5,6\n", ["'a'", "'x'", "line 3", "not a number"]),
        ("a,b\n1,2\n\n3,4\n5,x\n7,8\n", ["'b'", "'x'", "line 5"]),
        ("a,b\n1,2\n1_000,4\n5,6\n", ["'a'", "'1_000'", "line 3"]),
        ("a,b\n1,2\n0x1F,4\n5,6\n", ["'a'", "'0x1F'", "line 3"]),
        ("a,b\n1,2\n١,4\n5,6\n", ["'a'", "'١'", "line 3"]),
        ('a,b\n1,2\n"1,5",4\n5,6\n', ["'a'", "'1,5'", "line 3", "decimals with a point"]),
        ("a,b\n1,2\n,4\n5,6\n", ["'a'", "no value", "line 3"]),
        ("a,b\n1,2\nNaN,4\nNA,4\n5,6\n", ["'a'", "no value", "line 3", "2 such cells"]),
        ("a,b\n1,2\nNA,4\nx,4\n5,6\n", ["'a'", "no value", "line 3"]),
        ("a,b\n1,2\nx,4\nNA,4\n5,6\n", ["'a'", "'x'", "line 3"]),
        ("a,b\n1,2\n-inf,4\n5,6\n", ["'a'", "infinite", "'-inf'", "line 3"]),
        ("a,b\n1,2\n1e999,4\n5,6\n", ["'a'", "infinite", "line 3"]),
        ("a,b\n1,7\n2,7\n", ["'b'", "constant", "7 in every row"]),
        ("a,b\nx,y\nu,v\n", ["no column", "'a' and 'b'"]),
        ("5.1,3.5\n4.9,3.0\n", ["line 1", "header"]),
        ("a;b\n1;2\n", ["semicolons"]),
        ("a\tb\n1\t2\n", ["tabs"]),
        ('a,b\n1,2\n"3,4\n5,6\n', ["line 3", "quotation mark"]),
        (b"PK\x03\x04\x14\0\0\0", ["not text"]),
        (b"\xff\xfea\0\n", ["UTF-16"]),
        (b"\xef\xbb\xbfa\n\xff\n", ["UTF-8"]),
    ],
)
def test_refused(file, content, parts):
    sentence = refused(file(content))
    for part in parts:
        assert part in sentence


# 'a' comes first in the file's order, but 'b' is what was asked for.
def test_a_named_column_must_be_numbers_whatever_it_mostly_holds(file):
    sentence = refused(file("a,b\n1,u\n2,v\n3,4\n"), columns=["b"])
    assert "'b'" in sentence
    assert "'u'" in sentence
    assert "line 2" in sentence


def test_a_line_number_beyond_the_first_batch(file):
    rows = [f"{i},1\n" for i in range(BATCH + 10)]
    rows[BATCH + 5] = "many,2\n"
    assert f"line {BATCH + 5 + 2} " in refused(file("a,b\n" + "".join(rows)), columns=["a"])


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"columns": ["c"]}, ["'c'", "'name', 'a' and 'b'"]),
        ({"columns": []}, ["no column is named"]),
        ({"columns": ["a", "a"]}, ["'a'", "twice"]),
        ({"id": "c"}, ["'c'", "no column"]),
        ({"columns": ["a"], "id": "a"}, ["'a'", "id"]),
    ],
)
def test_refused_choices(file, options, parts):
    sentence = refused(file(SMALL), **options)
    for part in parts:
        assert part in sentence


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("i,a\nx,1\ny,2\nx,3\n", ["'i'", "'x'", "lines 2 and 4"]),
        ("i,a\nx,1\n,2\n", ["'i'", "line 3"]),
    ],
)
def test_refused_ids(file, content, parts):
    sentence = refused(file(content), id="i")
    for part in parts:
        assert part in sentence


def test_a_missing_file(tmp_path):
    assert "no file" in refused(tmp_path / "none.csv")


def test_a_folder(tmp_path):
    assert "folder" in refused(tmp_path)


def test_something_that_is_no_file():
    assert "ordinary file" in refused("/dev/null")


# `refused` holds these to one printable line of bounded length.
@pytest.mark.parametrize("name", ["x" * 10_000, "\x1b[31mred", "\u202ebackwards", "{0.__class__}"])
def test_hostile_names_are_only_ever_shown(file, name):
    refused(file(f"{name},b\n1,2\nx,3\n4,5\n"))
    refused(file(f"{name},b\n1,2\n3,3\n4,5\n"), columns=["nowhere"])


def test_a_column_that_is_used_has_a_printable_name(file):
    sentence = refused(file("b,\x1b[31mred\n1,2\n3,4\n"))
    assert "column 2" in sentence
    assert "control character" in sentence


def test_what_is_shortened_ends_in_dots():
    assert printable("abcdef", 6) == "'abcdef'"
    assert printable("abcdefg", 6) == "'abcde…'"
    assert listed(["a", "b", "c", "d"], 2) == "'a', 'b' and 2 more"
    assert listed(["a"]) == "'a'"


@pytest.mark.parametrize("cell", ["y" * 10_000, "\x1b]0;title\x07", "\u2028"])
def test_hostile_cells_are_only_ever_shown(file, cell):
    assert "line 3" in refused(file(f"a,b\n1,2\n{cell},3\n4,5\n"))


# --- Parquet ------------------------------------------------------------------------------------


@pytest.fixture
def parquet_file(tmp_path):
    def write(table, name="data.parquet"):
        path = tmp_path / name
        if isinstance(table, pd.DataFrame):
            table.to_parquet(path)
        else:
            parquet.write_table(table, path)
        return path

    return write


def test_parquet(parquet_file):
    from decimal import Decimal

    table = pa.table(
        {
            "name": ["x", "y"],
            "whole": pa.array([1, 2], pa.int32()),
            "a.b": [0.1, 1e300],
            "money": [Decimal("1.25"), Decimal("2.50")],
            "yes": [True, False],
            "none": pa.nulls(2),
        }
    )
    frame = read_table(parquet_file(table), id="name")
    assert frame.columns.to_list() == ["whole", "a.b", "money"]
    assert frame.to_numpy().tolist() == [[1, 0.1, 1.25], [2, 1e300, 2.5]]
    assert frame.index.to_list() == ["x", "y"]
    assert frame.attrs["left_out"] == {"yes": "text", "none": "no values"}
    assert read_table(parquet_file(table), ["a.b"])["a.b"].to_list() == [0.1, 1e300]


def test_parquet_is_known_by_what_it_holds(parquet_file):
    path = parquet_file(pa.table({"a": [1, 2]}), "data.csv")
    assert read_table(path)["a"].to_list() == [1, 2]


def test_the_index_that_pandas_saves_is_no_data(parquet_file):
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=[5, 9])
    assert read_table(parquet_file(frame)).columns.to_list() == ["a"]


def test_ids_in_parquet(parquet_file):
    table = pa.table({"i": [7, 8], "a": [1.0, 2.0]})
    assert read_table(parquet_file(table), id="i").index.to_list() == [7, 8]


@pytest.mark.parametrize(
    ("table", "options", "parts"),
    [
        ({"a": [1.0, None, None]}, {}, ["'a'", "no value", "row 2", "2 such cells"]),
        ({"a": [1.0, 2.0, float("inf")]}, {}, ["'a'", "infinite", "row 3"]),
        ({"a": ["x", "y"]}, {"columns": ["a"]}, ["'a'", "'string'", "not numbers"]),
        ({"a": ["x", "y"]}, {}, ["no column", "'a'"]),
        ({"a": [4, 4]}, {}, ["'a'", "constant"]),
        ({"a": [1, 2]}, {"columns": ["b"]}, ["'b'", "'a'"]),
        ({"a": [1, 2], "i": ["x", "x"]}, {"id": "i"}, ["'i'", "'x'", "rows 1 and 2"]),
        ({"a": pa.array([], pa.float64())}, {}, ["no rows"]),
    ],
)
def test_refused_parquet(parquet_file, table, options, parts):
    sentence = refused(parquet_file(pa.table(table)), **options)
    for part in parts:
        assert part in sentence


def test_duplicate_columns_in_parquet(parquet_file):
    table = pa.Table.from_arrays([pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"])
    assert "columns 1 and 2" in refused(parquet_file(table))


def test_a_parquet_file_that_was_cut_short(parquet_file):
    path = parquet_file(pa.table({"a": [1, 2]}))
    path.write_bytes(path.read_bytes()[:-20])
    assert "damaged or cut short" in refused(path)


def test_a_name_that_promises_parquet(file):
    assert "not a Parquet file" in refused(file("a\n1\n", "data.parquet"))


def test_columns_that_measure_nothing_are_named_with_a_remedy(tmp_path):
    path = tmp_path / "d.csv"
    rows = [f"{i},{100 + 7 * i},{i % 2},{i * i % 7}.5,{1990 + 3 * i}" for i in range(9)]
    path.write_text("index,customer_id,sex,x,year\n" + "\n".join(rows))
    doubts = read_table(path).attrs["doubts"]
    assert len(doubts) == 3
    assert "'index' counts the rows" in doubts[0]
    assert "--id 'index'" in doubts[0]
    assert "'customer_id' has whole numbers that all differ" in doubts[1]
    assert "'sex' has two values only (0 and 1)" in doubts[2]
    assert "--columns" in doubts[2]
    # Nobody is told of what he asked for, nor of the column that names the rows.
    assert read_table(path, ["index", "sex", "x"]).attrs["doubts"] == []
    assert "index" not in " ".join(read_table(path, id="index").attrs["doubts"])


def test_all_columns_that_are_missing_are_named(file):
    with pytest.raises(UnmixError, match=r"there are no columns 'c' and 'd' in .* it has 'a' and"):
        read_table(file("a,b\n1,2\n3,4\n"), ["a", "c", "d"])


def test_new_rows_may_be_alike_and_say_what_they_have_more(file):
    path = file("b,a,name\n1,7,x\n2,7,y\n")
    frame = read_table(path, ["a", "b"], new=True)
    assert list(frame.columns) == ["a", "b"]
    assert list(frame.attrs["left_out"]) == ["name"]
    with pytest.raises(UnmixError, match="constant"):
        read_table(path, ["a", "b"])
