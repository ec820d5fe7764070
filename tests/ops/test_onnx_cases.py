"""The contract of every column: ONNX's own single-node cases.

Each float32 or float64 case runs with every input but the signals bound as constants, for all the
ways its inputs can be signals. A case that is refused has its reason in REFUSED.
"""

from __future__ import annotations

import numpy as np
import pytest

from memxc import ops
from memxc.errors import MemxcError

#: Comparisons and logic of two bools.
TWO = ("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Or", "Xor")

#: Which inputs are signals: every way that has a circuit. Default: the first.
SIGNALS = {
    "Add": [(0,), (1,), (0, 1)],
    "Sub": [(0,), (1,), (0, 1)],
    "Mul": [(0,), (1,), (0, 1)],
    "Div": [(0,), (1,), (0, 1)],
    "PRelu": [(0,), (0, 1)],
    "Max": [(0, 1, 2), (0,), (1, 2)],
    "Min": [(0, 1, 2), (0,), (1, 2)],
    "Mean": [(0, 1, 2), (0,), (1, 2)],
    "MatMul": [(0,), (1,), (0, 1)],
    "Gemm": [(0,), (1,), (0, 2), (0, 1), (0, 1, 2)],
    "Attention": [(0, 1, 2)],
    "Concat": [(0, 1), (0,), (1,)],
    "Where": [(1, 2), (1,), (2,), (0,), (0, 1), (0, 2), (0, 1, 2)],
    "ScatterND": [(0, 2), (0,), (2,)],
    "ScatterElements": [(0, 2), (0,), (2,)],
    "Scatter": [(0, 2), (0,), (2,)],
    "Einsum": [(0,), (1,), (0, 1)],
    "Sum": [(0, 1, 2), (0,), (1,), (1, 2)],
    **{op: [(0,), (1,), (0, 1)] for op in TWO},
}

#: Cases outside what is covered, and the words of the fault that says so.
REFUSED = {
    "test_batchnorm_example_training_mode": "further output",
    "test_batchnorm_epsilon_training_mode": "further output",
    "test_maxpool_with_argmax_2d_precomputed_pads": "further output",
    "test_maxpool_with_argmax_2d_precomputed_strides": "further output",
    "test_dropout_default_mask": "further output",
    "test_dropout_default_mask_ratio": "further output",
    "test_training_dropout_default": "training_mode",
    "test_training_dropout_default_mask": "further output",
    "test_training_dropout": "training_mode",
    "test_training_dropout_mask": "further output",
    "test_training_dropout_zero_ratio": "training_mode",
    "test_training_dropout_zero_ratio_mask": "further output",
    "test_split_zero_size_splits_opset13": "is empty",
    "test_split_zero_size_splits_opset18": "is empty",
    "test_slice_start_out_of_bounds": "is empty",
    "test_resize_downsample_scales_linear_align_corners": "place the last one differently",
    "test_resize_downsample_scales_cubic_align_corners": "place the last one differently",
    "test_scatter_elements_with_duplicate_indices": "reduction = 'add'",
    "test_scatter_elements_with_reduction_mul": "reduction = 'mul'",
    "test_scatter_elements_with_reduction_max": "reduction = 'max'",
    "test_scatter_elements_with_reduction_min": "reduction = 'min'",
    "test_scatternd_add": "reduction = 'add'",
    "test_scatternd_multiply": "reduction = 'mul'",
    "test_scatternd_max": "reduction = 'max'",
    "test_scatternd_max_with_element_indices": "reduction = 'max'",
    "test_scatternd_min": "reduction = 'min'",
    "test_scatternd_min_with_element_indices": "reduction = 'min'",
    "test_pow_example": "exponents that differ, from 4 to 6",
    "test_pow": "exponents that differ",
    "test_pow_bcast_array": "exponents that differ",
    "test_pow_types_float32_int32": "exponents that differ",
    "test_pow_types_float32_int64": "exponents that differ",
    "test_pow_types_float32_uint32": "exponents that differ",
    "test_pow_types_float32_uint64": "exponents that differ",
    "test_reshape_allowzero_reordered": "is empty",
    "test_equal_string": "holds string, which no circuit carries",
    "test_equal_string_broadcast": "holds string, which no circuit carries",
}

#: Cases of attention with a cache, a window or lengths that change.
ATTENTION = {
    "test_attention_4d_with_past_and_present": "further output",
    "test_attention_4d_gqa_with_past_and_present": "further output",
    "test_attention_4d_diff_heads_with_past_and_present": "further output",
    "test_attention_4d_diff_heads_with_past_and_present_mask3d": "further output",
    "test_attention_4d_diff_heads_with_past_and_present_mask4d": "further output",
    "test_attention_4d_with_qk_matmul": "further output",
    "test_attention_4d_with_qk_matmul_bias": "further output",
    "test_attention_4d_with_qk_matmul_softcap": "further output",
    "test_attention_4d_with_qk_matmul_softmax": "further output",
    "test_attention_4d_with_past_and_present_qk_matmul_bias": "further output",
    "test_attention_4d_with_past_and_present_qk_matmul_bias_3d_mask": "further output",
    "test_attention_4d_with_past_and_present_qk_matmul_bias_4d_mask": "further output",
    "test_attention_4d_with_past_and_present_qk_matmul_bias_3d_mask_causal": "further output",
    "test_attention_4d_with_past_and_present_qk_matmul_bias_4d_mask_causal": "further output",
    "test_attention_4d_with_past_and_present_qk_matmul": "further output",
    "test_attention_3d_with_past_and_present": "further output",
    "test_attention_3d_gqa_with_past_and_present": "further output",
    "test_attention_3d_diff_heads_with_past_and_present": "further output",
    "test_attention_3d_with_past_and_present_qk_matmul": "further output",
    "test_attention_3d_with_past_and_present_qk_matmul_bias": "further output",
    "test_attention_3d_with_past_and_present_qk_matmul_softcap": "further output",
    "test_attention_3d_with_past_and_present_qk_matmul_softmax": "further output",
    "test_attention_4d_causal_with_past_and_present": "further output",
    "test_attention_23_fullymasked_qk_matmul_output_mode3_zero": "further output",
    "test_attention_24_fullymasked_qk_matmul_output_mode3_zero": "further output",
    "test_attention_4d_diff_heads_mask4d_padded_kv": "lengths that change",
    "test_attention_4d_gqa_causal_nonpad_decode": "lengths that change",
    "test_attention_4d_causal_nonpad_continued_prefill": "lengths that change",
    "test_attention_4d_causal_nonpad_negative_offset_structural_empty": "lengths that change",
    "test_attention_4d_causal_nonpad_attn_mask_composition": "lengths that change",
    "test_attention_4d_causal_nonpad_batch_prefill": "lengths that change",
    "test_attention_causal_boolmask_nan_robustness": "hides every position",
    "test_attention_23_boolmask_fullymasked_row_nan_robustness": "hides every position",
    "test_attention_local_window": "left_window_size",
    "test_attention_bidirectional_window": "left_window_size",
    "test_attention_local_window_default": "left_window_size",
    "test_attention_local_window_rank1_boolean_mask": "left_window_size",
    "test_attention_local_window_with_past": "left_window_size",
    "test_attention_local_window_ext_cache_rank3_head_mask": "left_window_size",
    "test_attention_local_window_ext_cache_rank4_batch_mask": "left_window_size",
    "test_attention_local_window_ext_cache_rank2_mask": "left_window_size",
    "test_attention_3d_local_window": "left_window_size",
    "test_attention_local_window_gqa_rank4_mask": "left_window_size",
}
REFUSED |= ATTENTION

#: Cases whose expected values were written down with four digits.
ROUNDED = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 5e-4}

#: Operators whose cases ONNX 1.16 and later all have, and the fewest runs that have to pass.
AT_LEAST = {
    "Conv": 6,
    "Gemm": 30,
    "MatMul": 6,
    "MaxPool": 15,
    "AveragePool": 15,
    "Slice": 7,
    "Concat": 36,
    "Resize": 37,
    "Where": 14,
    "Not": 3,
    **dict.fromkeys(("And", "Or", "Xor"), 24),
    **dict.fromkeys(("Greater", "GreaterOrEqual", "Less", "LessOrEqual"), 6),
    "Equal": 6,
}

#: Of these ONNX has no float32 case inside what is covered; their own tests have onnxruntime.
NONE = {"GlobalLpPool"}

#: Wires, comparisons and logic, so that their cases of integers hold as well.
WHOLE = {"Not", "Trilu", "Where", *TWO}

#: Their cases hold codes, or numbers to be rounded: test_quant_cases.py runs them.
CODES = {
    "Cast", "CastLike", "ConvInteger", "DequantizeLinear", "MatMulInteger", "QLinearConv",
    "QLinearMatMul", "QuantizeLinear",
}  # fmt: skip


def runs(case, op):
    """(graph inputs that are signals) for one case, absent inputs left out."""
    names = [n for n in case.model.graph.node[0].input if n]
    ways = [tuple(i for i in way if i < len(names)) for way in SIGNALS.get(op, [(0,)])]
    return dict.fromkeys(tuple(names[i] for i in way) for way in ways if way)


@pytest.mark.parametrize("op", [op for op in ops.available() if op not in CODES])
def test_onnx_cases(op, node_cases, case_graph, case_run, case_error):
    passed = refused = 0
    for case in node_cases.get(op, []):
        if not is_float(case):
            continue
        inputs, expected = (list(map(np.asarray, side)) for side in case.data_sets[0])
        values = dict(zip([v.name for v in case.model.graph.input], inputs, strict=True))
        for signals in runs(case, op):
            constants = {n: v for n, v in values.items() if n not in signals}
            graph = case_graph(case.model, constants)
            empty = any(0 in graph.shapes[name] for name in signals)
            if empty or case.name in REFUSED:
                words = REFUSED.get(case.name, "is empty")
                with pytest.raises(MemxcError, match=words):
                    case_run(graph, values)
                refused += 1
                continue
            found = case_run(graph, values)
            for name, wanted in zip(graph.outputs, expected, strict=True):
                assert found[name].shape == wanted.shape, case.name
                assert case_error(found[name], wanted) < ROUNDED.get(case.name, 1e-5), (
                    case.name,
                    signals,
                )
            passed += 1
    print(f"{op}: {passed} runs of ONNX's cases pass, {refused} refused with a reason")
    assert passed >= AT_LEAST.get(op, 0 if op in NONE else 1)


def is_float(case):
    kinds = [v.type.tensor_type.elem_type for v in case.model.graph.input]
    return kinds[:1] in ([1], [11]) or case.model.graph.node[0].op_type in WHOLE
