"""Reading a program's text."""

from pcnhost.engine.source import Scope, parse


def test_comments_go_and_lines_stay() -> None:
    text = 'a /* b\n c */ d // e\n"// f" \'"\' /* " */ g'
    assert parse(text).text == 'a  \n d  \n"// f" \'"\'   g'.replace("a  \n", "a  \n")


def test_scopes_of_maps() -> None:
    source = parse(
        """
        BPF_TABLE("hash", struct key, u64, own, 10);
        BPF_TABLE_SHARED ( "lru_hash", u32, u64, common, 10);
        BPF_TABLE_PUBLIC("array", u32,
                         u64, all, 10);
        BPF_TABLE("extern", u32, struct v, borrowed, 10);
        // BPF_TABLE_SHARED("hash", u32, u64, commented, 10);
        """
    )
    assert source.scopes == {"common": Scope.CUBE, "all": Scope.HOST}
    assert source.externs == {"borrowed"}
    text = source.with_extern_types({"borrowed": "percpu_hash"})
    assert 'BPF_TABLE("percpu_hash", u32, struct v, borrowed, 10);' in text
    assert 'BPF_TABLE("lru_hash", u32, u64, common, 10);' in text
    assert "extern" not in text and "_SHARED" not in text and "_PUBLIC" not in text


def test_whether_the_log_level_matters() -> None:
    assert parse('pcn_log(ctx, LOG_INFO, "x");').logs
    assert parse("#if LOG_LEVEL > 2").logs
    assert not parse("// pcn_log").logs
