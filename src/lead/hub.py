"""Models on the Hugging Face Hub: sent and fetched when asked for, as safetensors, with a card that describes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from lead.errors import LeadError
from lead.reporting import counted

MODEL_FILE = "model.safetensors"
PREFIX = "hub:"
"""Before a repository's name where a model file could stand as well."""
UNKNOWN = "unknown"
Result = TypeVar("Result")


def is_on_hub(model: Path | str) -> bool:
    """Whether a name such as ``hub:owner/name`` stands for a repository, not a file."""
    return str(model).startswith(PREFIX)


def push(file: Path, card: str, repo_id: str, *, private: bool, token: str | None) -> str:
    """Sends a model file and its card in one commit, making the repository if it is not there.

    Returns:
        The commit's address.

    Raises:
        LeadError: the Hub cannot be reached, or does not let the user write there.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(token=token)
    parts = [CommitOperationAdd(MODEL_FILE, str(file)), CommitOperationAdd("README.md", card.encode())]

    def send() -> str:
        api.create_repo(repo_id, private=private, exist_ok=True)
        return str(api.create_commit(repo_id, parts, commit_message="A model of lead").commit_url)

    return _asked(repo_id, send)


def fetch(repo_id: str, *, revision: str | None = None, token: str | None = None) -> Path:
    """A repository's model file, from the Hub or from its local cache. Nothing but that safetensors file is fetched.

    Args:
        repo_id: ``owner/name``, with or without ``hub:`` before it and ``@revision`` behind it.
        revision: a branch, tag or commit, if ``repo_id`` does not say; the newest by default.
        token: of the user; what ``hf auth login`` keeps by default.

    Raises:
        LeadError: the Hub cannot be reached, or has no such repository, revision or model.
    """
    from huggingface_hub import hf_hub_download

    name, _, asked = repo_id.removeprefix(PREFIX).partition("@")
    return Path(
        _asked(name, lambda: hf_hub_download(name, MODEL_FILE, revision=revision or asked or None, token=token))
    )


def _asked(repo_id: str, question: Callable[[], Result]) -> Result:
    """The Hub's answer; what goes wrong in terms of the repository."""
    from huggingface_hub import errors

    try:
        return question()
    except errors.HFValidationError:
        raise LeadError(
            f"{repo_id!r} is not a repository's name. Write it owner/name, as its page is called."
        ) from None
    except errors.GatedRepoError:
        raise LeadError(f"{repo_id} wants its terms accepted: open its page, then run: hf auth login") from None
    except errors.RepositoryNotFoundError:
        raise LeadError(
            f"The Hub has no repository {repo_id}, or does not show it to you. Check the name, or run: hf auth login"
        ) from None
    except errors.RevisionNotFoundError:
        raise LeadError(f"{repo_id} has no such revision. Give a branch, a tag or a whole commit of it.") from None
    except errors.LocalEntryNotFoundError:
        raise LeadError(
            f"The Hub cannot be reached, and {repo_id} was not fetched before. Go online, or give a file."
        ) from None
    except errors.EntryNotFoundError:
        raise LeadError(f"{repo_id} holds no {MODEL_FILE}: it was not written by `lead push`.") from None
    except errors.HfHubHTTPError as error:
        raise LeadError(
            f"The Hub refused {repo_id}: {str(error).splitlines()[0]}. To log in, run: hf auth login"
        ) from None
    except OSError as error:
        raise LeadError(f"The Hub cannot be reached for {repo_id}: {error}. Try again later.") from None


# --- the card --------------------------------------------------------------------------------------------------------


def model_card(meta: Mapping[str, Any], repo_id: str, *, licence: str | None = None) -> str:
    """README.md of a model's repository: YAML that the Hub reads, then what one should know before using it.

    Args:
        meta: the description in the model file; see :meth:`lead.inference.Landmarker.describe`.
        repo_id: ``owner/name``.
        licence: of the model; that of the first weights by default.
    """
    from huggingface_hub import ModelCard, ModelCardData

    settings, start = meta["settings"], meta["origin"].get("start", {})
    data = ModelCardData(
        library_name="lead-landmarks",
        pipeline_tag="keypoint-detection",
        tags=["landmarks", "keypoints", "few-shot", settings["backbone"]["name"]],
        license=licence or start.get("licence"),
        model_name=repo_id.split("/")[-1],
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{_text(meta, repo_id, start)}"))


def _text(meta: Mapping[str, Any], repo_id: str, start: Mapping[str, Any]) -> str:
    origin, settings = meta["origin"], meta["settings"]
    run, versions = origin.get("run", {}), origin.get("versions", {})
    error = origin.get("held_out_error")
    of = "a specimen's extent" if meta.get("bounded") else "the picture's longer side"
    error_text = "unknown" if error is None else f"{100 * error:.2f} % of {of}"
    rows = {
        "Landmarks": ", ".join(meta["names"]),
        "Labelled pictures": origin.get("labels", UNKNOWN),
        "Unlabelled pictures that the features learnt from": run.get("pictures", UNKNOWN),
        "Labelled pictures' hash": f"`{origin.get('pictures', UNKNOWN)}`",
        "Unlabelled pictures' hash": f"`{run.get('digest', UNKNOWN)}`",
        "Settings' hash": f"`{meta.get('settings_hash', UNKNOWN)}`",
        "Network": f"{settings['backbone']['name']}, {meta['head']} head",
        "First weights": start.get("weights", settings["backbone"]["init"]),
        "Licence of the first weights": start.get("licence") or UNKNOWN,
        "Mean error on held-out labels": error_text,
        "Commit of lead": f"`{origin.get('commit', UNKNOWN)}`",
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()) or UNKNOWN,
    }
    table = "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])
    return f"""# {repo_id}

Finds {counted(len(meta["names"]), "landmark")} on pictures of one kind of thing, with the error to expect of each.
Made with `lead`.

```sh
pip install lead-landmarks
lead predict hub:{repo_id} pictures --out landmarks.json
```

{table}

## Evaluation

The error is the mean distance of landmarks on labelled pictures that were held out while the head was fitted, by
cross-validation. It says what to expect of pictures like the labelled ones, and nothing of others.

## Limits

- One thing a picture, at about the size at which it was labelled, and of the kind that the model was made for.
- The expected errors rest on few out-of-fold labels. They cannot know of a mistake that the model makes with
  conviction: look at some predictions before you use them.
- The pictures and labels are not part of this repository, and their licence is not that of the first weights.

All settings are in the header of `{MODEL_FILE}`, which holds tensors only and runs no code.
"""
