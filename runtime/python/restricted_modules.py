"""What a restricted program may import, name by name. Never a whole module: statistics.sys, re.enum.sys and
json.codecs.open would be open doors. Left out on purpose, with the reason beside each module."""

NAMES = {
    # All of it are functions of numbers.
    "math": "acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e erf erfc exp exp2 "
            "expm1 fabs factorial floor fmod frexp fsum gamma gcd hypot inf isclose isfinite isinf isnan isqrt lcm "
            "ldexp lgamma log log10 log1p log2 modf nan nextafter perm pi pow prod radians remainder sin sinh sqrt "
            "tan tanh tau trunc ulp",
    "statistics": "NormalDist StatisticsError correlation covariance fmean geometric_mean harmonic_mean "
                  "linear_regression mean median median_grouped median_high median_low mode multimode pstdev "
                  "pvariance quantiles stdev variance",
    "datetime": "MAXYEAR MINYEAR UTC date datetime time timedelta timezone tzinfo",
    # load and dump would want files; the classes call whatever they are given.
    "json": "JSONDecodeError dumps loads",
    # Scanner and template are undocumented.
    "re": "A ASCII DOTALL I IGNORECASE L LOCALE M MULTILINE Match Pattern S U UNICODE VERBOSE X compile error escape "
          "findall finditer fullmatch match search split sub subn",
    # SystemRandom reads the system's own state.
    "random": "Random betavariate choice choices expovariate gammavariate gauss getrandbits lognormvariate "
              "normalvariate paretovariate randbytes randint random randrange sample seed shuffle triangular uniform "
              "vonmisesvariate weibullvariate",
    # C code, whose objects hold numbers alone.
    "decimal": "BasicContext Clamped Context Decimal DecimalException DivisionByZero ExtendedContext "
               "FloatOperation Inexact InvalidOperation Overflow ROUND_05UP ROUND_CEILING ROUND_DOWN ROUND_FLOOR "
               "ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP ROUND_UP Rounded Subnormal Underflow getcontext "
               "localcontext setcontext",
    "fractions": "Fraction",
    "itertools": "accumulate chain combinations combinations_with_replacement compress count cycle dropwhile "
                 "filterfalse groupby islice pairwise permutations product repeat starmap takewhile tee zip_longest",
    # wraps and update_wrapper copy attributes of any name; total_ordering, singledispatch and cached_property write
    # to classes.
    "functools": "cache cmp_to_key lru_cache partial reduce",
    # UserString has a format method that is no str's.
    "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
}
