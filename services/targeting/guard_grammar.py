"""What direct SQL may be made of: words, functions, and node types of the parsed statement.

Everything here is a list of what is allowed. A form that is missing from the lists is refused,
whatever it would do, so that a new feature of the parser or the server opens nothing by itself.
"""

from typing import Final

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Read only, without effects, bounded in the size of what they return. Left out on purpose: repeat,
# lpad, rpad and format (a small call makes a huge text), power and exp (huge numbers), random
# (a count must be the same twice), everything that returns sets, and everything on JSON or XML.
FUNCTIONS: Final = _words(
    """
    count sum avg min max bool_and bool_or string_agg array_agg stddev variance var_samp
    percentile_cont percentile_disc mode
    row_number rank dense_rank ntile lag lead first_value last_value
    lower upper initcap length char_length trim btrim ltrim rtrim left right substr substring
    position strpos replace translate split_part concat concat_ws reverse starts_with md5
    regexp_replace overlay
    abs round ceil ceiling floor trunc sign mod sqrt
    now date_trunc date_part extract to_char to_date
    coalesce nullif greatest least cast string_to_array array_to_string
    """
)

# Other words that may stand before a parenthesis; a name that is in neither list is refused there.
WORDS_BEFORE_PARENTHESIS: Final = _words(
    """
    select from where on and or not in any some all exists as when then else case between is like
    ilike similar to escape by over filter group having using union intersect except distinct
    join array end limit offset null interval time zone within rollup cube sets then materialized
    char character varchar decimal numeric varying precision timestamp timestamptz
    """
)

TYPES: Final = frozenset(
    {
        exp.DType.TEXT,
        exp.DType.VARCHAR,
        exp.DType.CHAR,
        exp.DType.BOOLEAN,
        exp.DType.SMALLINT,
        exp.DType.INT,
        exp.DType.BIGINT,
        exp.DType.DECIMAL,
        exp.DType.FLOAT,
        exp.DType.DOUBLE,
        exp.DType.DATE,
        exp.DType.TIME,
        exp.DType.TIMESTAMP,
        exp.DType.TIMESTAMPTZ,
        exp.DType.INTERVAL,
        exp.DType.UUID,
        exp.DType.ARRAY,
    }
)

UNITS: Final = _words(
    """
    MICROSECOND MICROSECONDS MILLISECOND MILLISECONDS SECOND SECONDS MINUTE MINUTES HOUR HOURS
    DAY DAYS WEEK WEEKS MONTH MONTHS QUARTER YEAR YEARS DECADE DECADES CENTURY CENTURIES
    DOW DOY ISODOW ISOYEAR EPOCH
    """
)

# Tokens of a statement other than one SELECT, and of text that PostgreSQL and the parser might
# read in two ways. They are refused before parsing, because the parser logs what it gives up on.
REFUSED_TOKENS: Final = frozenset(
    TokenType[name]
    for name in _words(
        """
    ALTER ANALYZE ATTACH BEGIN BIT_STRING BLOCK_START BYTE_STRING COLON COMMAND COMMIT COPY CREATE
    DECLARE DELETE DESCRIBE DROP EXECUTE GRANT HEREDOC_STRING HEX_STRING INSERT INTO KILL LATERAL
    LOAD LOCK MERGE NATIONAL_STRING OBJECT_IDENTIFIER OPERATOR PARAMETER PLACEHOLDER PRAGMA
    PSEUDO_TYPE RAW_STRING RECURSIVE RENAME RETURNING REVOKE ROLLBACK SHOW TABLE TABLE_SAMPLE
    TRUNCATE UNICODE_STRING UNNEST UPDATE USE VALUES
    """
    )
)

_STRUCTURE: Final = frozenset(
    {
        exp.Alias,
        exp.Column,
        exp.CTE,
        exp.Except,
        exp.Fetch,
        exp.From,
        exp.Group,
        exp.GroupingSets,
        exp.Having,
        exp.Identifier,
        exp.Intersect,
        exp.Join,
        exp.Limit,
        exp.LimitOptions,
        exp.Offset,
        exp.Order,
        exp.Ordered,
        exp.Rollup,
        exp.Select,
        exp.Star,
        exp.Subquery,
        exp.Table,
        exp.TableAlias,
        exp.Union,
        exp.Where,
        exp.With,
    }
)
_OPERATORS: Final = frozenset(
    {
        exp.Add,
        exp.All,
        exp.And,
        exp.Any,
        exp.Array,
        exp.AtTimeZone,
        exp.Between,
        exp.Boolean,
        exp.Case,
        exp.Cast,
        exp.DataType,
        exp.DataTypeParam,
        exp.Distinct,
        exp.Div,
        exp.DPipe,
        exp.EQ,
        exp.Escape,
        exp.Exists,
        exp.Filter,
        exp.GT,
        exp.GTE,
        exp.If,
        exp.ILike,
        exp.In,
        exp.Interval,
        exp.Is,
        exp.Like,
        exp.Literal,
        exp.LT,
        exp.LTE,
        exp.Mod,
        exp.Mul,
        exp.Neg,
        exp.NEQ,
        exp.Not,
        exp.Null,
        exp.NullSafeEQ,
        exp.NullSafeNEQ,
        exp.Or,
        exp.Paren,
        exp.RegexpILike,
        exp.RegexpLike,
        exp.SimilarTo,
        exp.Sub,
        exp.Tuple,
        exp.Var,
        exp.Window,
        exp.WindowSpec,
        exp.WithinGroup,
    }
)
# What the parser makes of FUNCTIONS.
_CALLS: Final = frozenset(
    {
        exp.Abs,
        exp.ArrayAgg,
        exp.ArrayToString,
        exp.Avg,
        exp.Ceil,
        exp.Coalesce,
        exp.Concat,
        exp.ConcatWs,
        exp.Count,
        exp.CurrentDate,
        exp.CurrentTimestamp,
        exp.DenseRank,
        exp.Extract,
        exp.FirstValue,
        exp.Floor,
        exp.Greatest,
        exp.GroupConcat,
        exp.Initcap,
        exp.Lag,
        exp.LastValue,
        exp.Lead,
        exp.Least,
        exp.Left,
        exp.Length,
        exp.LogicalAnd,
        exp.LogicalOr,
        exp.Lower,
        exp.Max,
        exp.MD5,
        exp.Min,
        exp.Mode,
        exp.Ntile,
        exp.Nullif,
        exp.Overlay,
        exp.PercentileCont,
        exp.PercentileDisc,
        exp.Rank,
        exp.RegexpReplace,
        exp.Replace,
        exp.Reverse,
        exp.Right,
        exp.Round,
        exp.RowNumber,
        exp.Sign,
        exp.SplitPart,
        exp.Sqrt,
        exp.StartsWith,
        exp.Stddev,
        exp.StringToArray,
        exp.StrPosition,
        exp.StrToDate,
        exp.Substring,
        exp.Sum,
        exp.TimestampTrunc,
        exp.TimeToStr,
        exp.Translate,
        exp.Trim,
        exp.Trunc,
        exp.Upper,
        exp.Variance,
    }
)
NODES: Final = _STRUCTURE | _OPERATORS | _CALLS

_CLAUSES: Final = frozenset({"with_", "order", "limit", "offset"})
# The parts that a node of the structure may have; a part that is set and not listed is refused.
# Nodes that are not listed here have only expressions below them.
PARTS: Final = {
    exp.Select: _CLAUSES
    | {"expressions", "distinct", "from_", "joins", "where", "group", "having", "windows"},
    exp.Union: _CLAUSES | {"this", "expression", "distinct"},
    exp.Intersect: _CLAUSES | {"this", "expression", "distinct"},
    exp.Except: _CLAUSES | {"this", "expression", "distinct"},
    exp.Subquery: _CLAUSES | {"this", "alias"},
    exp.Table: frozenset({"this", "db", "alias"}),
    exp.TableAlias: frozenset({"this"}),
    exp.Column: frozenset({"this", "table"}),
    exp.CTE: frozenset({"this", "alias", "materialized"}),
    exp.With: frozenset({"expressions"}),
    exp.Join: frozenset({"this", "on", "using", "side", "kind", "method"}),
    exp.Star: frozenset[str](),
    exp.Cast: frozenset({"this", "to"}),
    exp.DataType: frozenset({"this", "expressions", "nested"}),
    exp.In: frozenset({"this", "expressions", "query"}),
    exp.Group: frozenset({"expressions", "grouping_sets", "rollup"}),
}

# Names that every PostgreSQL table answers to, whatever its columns.
SYSTEM_COLUMNS: Final = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid"})
