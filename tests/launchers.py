"""Hydra's launchers, as overrides for a small sweep."""

LAUNCHERS = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "ray": [
        "hydra/launcher=ray",
        "+hydra.launcher.ray.init.num_cpus=2",
        "+hydra.launcher.ray.init.include_dashboard=false",
    ],
    "submitit": ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"],
}
