"""Tests that `make test-slow` runs though none of them is slow by itself: together they are.

Each is a variant of a quicker test, or shows through the command line what tests of the engine
show too. A line names a file and a part of the names of its tests; all of a file is `""`.
"""

from __future__ import annotations

VARIANTS: dict[str, tuple[str, ...]] = {
    "cli/test_cli_convert.py": (
        "what_cannot_be_converted_is_said_before_and_recorded",
        "a_deploying_run_is_exact_and_comes_back",
    ),
    "cli/test_cli_engine.py": ("kept_trunks_serve_a_later_sweep",),
    "cli/test_cli_ensembles.py": ("",),  # see tasks/test_tasks_ensembles.py
    "cli/test_cli_failures.py": (
        "fail_fast_stops_and_status_tells_what_is_left",
        "a_trunk_that_fails_fails_its_runs_untrained",
    ),
    "cli/test_cli_full_disk.py": ("a_sweep_goes_on_when_there_is_room",),
    "cli/test_cli_latency.py": ("a_sweep_is_measured_and_drawn",),
    "cli/test_cli_mistakes.py": ("truncated_data_are_named_before_anything_trains",),
    "cli/test_cli_notes.py": ("",),  # see report/test_report_notes.py
    "cli/test_cli_outcomes.py": (
        "several_seeds_give_means_and_sample_deviations",
        "not_applicable_rows_are_kept_and_do_not_fail_the_sweep",
    ),
    "cli/test_cli_pixels.py": ("",),
    "cli/test_cli_recommend.py": ("other_choices_in_groups_are_found",),
    "cli/test_cli_schemes.py": ("",),  # see engine/test_engine_schemes.py
    "cli/test_cli_surroundings.py": ("runs_and_sweeps_may_be_below_the_home_folder",),
    "cli/test_cli_unconverted.py": ("tried_again[OSError", "tried_again[MemoryError"),
    "cli/test_cli_validation.py": ("",),  # see engine/test_engine_validation.py
    "config/test_config_composes.py": (
        "every_model_can_be_built[resnet56]",
        "every_model_can_be_built[resnet50_v1]",
        "every_model_can_be_built[resnet_slim]",
        "every_model_can_be_built[vgg16]",
        "every_model_can_be_built[vgg_small",
        "its_model_can_be_built[vgg16]",
        "its_model_can_be_built[vgg_small]",
    ),
    "config/test_config_stats.py": (
        "table_does_not_allow[overrides1",
        "table_does_not_allow[overrides2",
    ),
    "contracts/test_contracts_model.py": (
        "keeps_it[dropout]",
        "keeps_it[another shape]",
        "keeps_it[frozen]",
        "keeps_it[resnet_v1]",
    ),
    "contracts/test_contracts_scheme.py": (
        "keeps_it[phases without steps]",
        "keeps_it[uniform deploy]",
    ),
    "data/test_image_folder_layouts.py": ("ten_thousand_classes_are_listed",),
    "deploy/test_deploy_exact.py": ("float_tensors_are_named_with_their_operators[normalization",),
    "deploy/test_deploy_trace.py": ("other_networks_are_found_whole[",),
    "deploy/test_deploy_unusual.py": (
        "every_layer[normalization_after_activation]",
        "every_layer[shared_normalization]",
        "every_layer[scaled_by_parameters]",
        "every_layer[layer_normalization]",
        "every_layer[prelu]",
        "every_layer[own_layer]",
        "every_layer[own_scale]",
    ),
    "engine/test_engine_execute.py": (
        "have_to_do_with_it[{'quant.signed': False",
        "have_to_do_with_it[{'quant.bits': 1}",
    ),
    "engine/test_engine_keras_settings.py": ("a_backend_that_is_not_there_is_named_by_every_verb",),
    "engine/test_engine_network_state.py": ("as_if_there_had_been_no_break[adam]",),
    "engine/test_engine_on_disk.py": ("",),  # see training/test_training_feeding.py
    "engine/test_engine_worker.py": ("both_kinds_of_worker_answer_alike[False]",),
    "outside/test_outside_docs.py": ("[qbench train --config-dir conf",),
    "outside/test_outside_runs.py": ("data_and_an_op_of_ones_own",),
    "quantize/test_contrib_quantize.py": ("epsilon[vgg16]", "epsilon[vgg_small]"),
    "quantize/test_quantized_training.py": (
        "averages_are_those_of_what_each_phase_measures[qdq_measured]",
        "averages_count_every_step[fake_quant]",
    ),
    "quantize/test_rewrite_calls.py": ("by_position[joins", "by_position[several_tensors"),
    "quantize/test_rewrite_counts.py": ("resnet20",),
    "report/test_report_figures.py": ("the_same_records_give_the_same_bytes",),
    "report/test_report_hostile.py": ("no_place_of_a_figure_takes_a_text_for_mathematics",),
    "report/test_report_latency.py": ("the_figure_stands_on_the_page",),
    "report/test_report_page_whole.py": ("a_section_that_fails_costs_that_section_alone",),
    "statistics/test_statistics_best.py": ("no_row_within_the_margin_is_promised_in_vain",),
    "statistics/test_statistics_coverage.py": ("-dunnett-8]",),
    "tasks/test_tasks_recall.py": ("train_prints_every_metric",),
    "training/test_training_added_losses.py": ("-quantized]",),
    "training/test_training_held.py": (
        "[constrained-rmsprop]",
        "[constrained-sgd]",
        "[constrained-nesterov]",
        "[frozen_base-folded",
        "[frozen_variables-folded",
    ),
    "training/test_training_loop.py": ("the_same_bits[moving averages]",),
    "training/test_training_models.py": (
        "resnet50_v1_is_resnet_slim_of_50_layers",
        "by_its_depth[56]",
    ),
    "training/test_training_phases.py": ("the_bits_of_the_whole[augmented]",),
    "training/test_training_random.py": ("[own_generators-",),
    "training/test_training_refused.py": (
        "not_even_looked_at[resnet50_v1]",
        "not_even_looked_at[resnet_slim]",
        "generators_alone[RandAugment]",
    ),
    "training/test_training_schemes.py": ("the_others_are_trained[rmsprop]",),
    "weights/test_weights_file_network.py": (
        "left_out[of the head-h5]",
        "left_out[layer-",
        "left_out[activation-keras]",
    ),
    "weights/test_weights_start.py": (
        "names_count_not_the_order_of_layers[a.h5]",
        "names_count_not_the_order_of_layers[a.weights.h5]",
        "every_kind_of_file_gives_the_same_weights[a.h5]",
    ),
}
