"""What is counted of compiled programs, against a program that is counted by hand and against jax's own sizes."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks.compiled import Tally, cost, heaviest, summary

BY_HAND = """\
HloModule jit_f, is_scheduled=true, entry_computation_layout={(f32[4,8]{1,0})->f32[4,8]{1,0}}

%fused_computation (param_0.1: f32[4,8], param_1: pred[4,8]) -> f32[4,8] {
  %param_0.1 = f32[4,8]{1,0} parameter(0)
  %param_1 = pred[4,8]{1,0} parameter(1)
  %convert.2 = f32[4,8]{1,0} convert(%param_1)
  ROOT %select.1 = f32[4,8]{1,0} select(%param_1, %param_0.1, %convert.2)
}

%add (x: f32[], y: f32[]) -> f32[] {
  %x = f32[] parameter(0)
  %y = f32[] parameter(1)
  ROOT %copy.9 = f32[] copy(%x)
}

%body (arg: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %arg = (s32[], /*index=1*/f32[4,8]{1,0}) parameter(0)
  %gte = f32[4,8]{1,0} get-tuple-element(%arg), index=1
  %copy.1 = f32[4,8]{1,0} copy(%gte)
  %mask = pred[4,8]{1,0} compare(%copy.1, %gte), direction=LT
  %fusion = f32[4,8]{1,0} fusion(%copy.1, %mask), kind=kLoop, calls=%fused_computation
  ROOT %tuple = (s32[], f32[4,8]{1,0}) tuple(%gte, %fusion)
}

%cond (arg.1: (s32[], f32[4,8])) -> pred[] {
  %arg.1 = (s32[], f32[4,8]{1,0}) parameter(0)
  ROOT %lt = pred[] constant(true)
}

%updating (into.1: f32[4,8], row.1: f32[1,8]) -> f32[4,8] {
  %into.1 = f32[4,8]{1,0} parameter(0)
  %row.1 = f32[1,8]{1,0} parameter(1)
  %zero.1 = s32[] constant(0)
  ROOT %there = f32[4,8]{1,0} dynamic-update-slice(%into.1, %row.1, %zero.1, %zero.1)
}

%unused (p: f32[4]) -> f32[4] {
  ROOT %copy.7 = f32[4]{0} copy(%p)
}

ENTRY %main (p0: f32[4,8]) -> bf16[8,4] {
  %p0 = f32[4,8]{1,0} parameter(0)
  %bits = u32[4,8]{1,0} xor(%p0, %p0), metadata={op_name="jit(f)/threefry2x32"}
  %sum = f32[] reduce(%p0, %p0), dimensions={0,1}, to_apply=%add
  %while = (s32[], f32[4,8]{1,0}) while(%p0), condition=%cond, body=%body, backend_config={"known_trip_count":{"n":"5"}}
  %row = f32[1,8]{1,0} slice(%p0), slice={[0:1], [0:8]}
  %into = f32[4,8]{1,0} dynamic-update-slice(%p0, %row, %zero, %zero)
  %within = f32[4,8]{1,0} fusion(%into, %row), kind=kLoop, calls=%updating
  %t = f32[8,4]{1,0} transpose(%p0), dimensions={1,0}
  ROOT %convert = bf16[8,4]{1,0} convert(%t)
}
"""


def test_a_program_by_hand():
    array, row = 4 * 8 * 4, 8 * 4
    assert summary(BY_HAND) == {
        "fusion": Tally(2, 0, 6, 5 * array + row),
        "while": Tally(1, 0, 1, 4 + array),
        "copy": Tally(1, 0, 5, 5 * array),
        "transpose": Tally(1, 0, 1, array),
        "select": Tally(1, 1, 5, 0),
        "dynamic-update-slice": Tally(2, 1, 2, row),
        "convert": Tally(2, 1, 6, array // 2),
        "rng": Tally(1, 0, 1, array),
    }


def test_what_writes_most_by_hand():
    array = 4 * 8 * 4
    first, second, *rest = heaviest(BY_HAND)
    assert {first.operation, second.operation} == {"copy", "fusion"}
    assert (first.written, first.runs, first.shape) == (5 * array, 5, "f32[4,8]{1,0}")
    assert [(each.operation, each.written) for each in rest[:1]] == [("compare", 5 * array // 4)]
    assert [each.origin for each in rest if each.operation == "xor"] == ["jit(f)/threefry2x32"]
    assert len(heaviest(BY_HAND, 1)) == 1


@pytest.fixture(scope="module")
def compiled():
    def f(x, weights, key):
        def step(x, _):
            return jnp.tanh(x @ weights), None

        x, _ = jax.lax.scan(step, x, None, 7)
        return x + jax.random.uniform(key, x.shape)

    given = jnp.ones((16, 32)), jnp.ones((32, 32)), jax.random.PRNGKey(0)
    return jax.jit(f).lower(*given).compile()


def test_a_compiled_program(compiled):
    found = summary(compiled.as_text())
    assert found["dot"].runs == 7
    assert found["dot"].written in (0, 7 * 16 * 32 * 4)  # alone, or fused with what follows it
    assert found["while"].places >= 1
    assert found["rng"].places >= 1


def test_xlas_own_count(compiled):
    found = cost(compiled)
    assert found.flops >= 2 * 16 * 32 * 32  # of the product, once
    assert found.bytes_accessed > 4 * (16 * 32 + 32 * 32)
