"""What a reader must know beside the figures, said once for every form of the report."""

from __future__ import annotations

from qbench.report import deployed
from qbench.report.collect import Sweep

RECALL = (
    "Recall@5 is the share of test images whose label is among the five largest logits. It is what"
    ' Kwasniewska et al. 2019 call "recall": their evaluation script printed accuracy and'
    " `Recall_5`, and on a balanced test set recall averaged over the classes equals accuracy. The"
    " class-averaged (macro) recall stands beside it."
)
SIZE = (
    "Size is theoretical: kernels and one bias per channel, batch normalization folded in, times"
    " the bits of the weights, in MB of 10^6 bytes."
)


def notes(sweep: Sweep) -> list[str]:
    """Sentences on the data, the runs and the columns."""
    lines = []
    for name, note, images in sorted(
        {
            (
                r["data"]["name"],
                r["data"]["note"],
                (r["data"]["train_images"], r["data"]["test_images"]),
            )
            for r in sweep.records.values()
        }
    ):
        hashes = {
            r["data"]["hash"][:12] for r in sweep.records.values() if r["data"]["name"] == name
        }
        lines.append(
            f"Data: {name}, {images[0]:,} training and {images[1]:,} test images (SHA-256"
            f" {', '.join(sorted(hashes))}...)." + (f" Note: {note}." if note else "")
        )
    seeds = sweep.manifest["seeds"]
    many = f"means ± sample standard deviations of {len(seeds)} seeds"
    lines.append(
        f"Every figure is {'one run' if len(seeds) == 1 else many}; single runs differ by chance,"
        " so small differences between rows mean nothing."
    )
    lines += [RECALL, SIZE, *([deployed.NOTE] if sweep.exports else [])]
    lines += deployed.reference(sweep.references)
    machines = {
        f"{r['device']['name']}, {r['threads']} threads, TensorFlow {r['versions']['tensorflow']},"
        f" Keras {r['versions']['keras']}, qbench {r['versions']['qbench']}"
        for r in sweep.records.values()
    }
    lines.append(f"Run on: {'; '.join(sorted(machines)) or '-'}.")
    return lines


def troubles(sweep: Sweep) -> list[str]:
    """One line for each row that has no figures, with the reason."""
    lines = []
    for row in sweep.manifest["rows"]:
        if row["reason"] is not None:
            lines.append(f"{row['label']}: not applicable. {row['reason']}")
        for run in row["runs"]:
            record = sweep.records.get(run["id"])
            name = f"{row['label']}, seed {run['seed']}"
            if record is None:
                lines.append(f"{name}: missing. It has left no record (yet).")
            elif record["status"] != "ok":
                lines.append(f"{name}: {record['status']}. {record['error']['message']}")
    return lines
