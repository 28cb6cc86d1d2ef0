"""Tokenizers built in the test: one for each way in which a model's tokenizer treats special tokens and leading spaces."""

from collections.abc import Callable

from tokenizers import Tokenizer as Tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from tokenrank.models.tiny import byte_tokenizer

TURNS = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
)
ASKS = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
SMOLLM2 = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are helpful.<|im_end|>\n{% endif %}" + TURNS + ASKS
)
LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
GLM = (
    "[gMASK]<sop>{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
LLAMA2 = "{{ bos_token }}{% for message in messages %}[INST] {{ message['content'] }} [/INST]{% endfor %}"
QWEN3 = (
    TURNS + ASKS + "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
)


def smollm2() -> PreTrainedTokenizerFast:
    """Adds nothing; its template writes two control tokens."""
    return made(SMOLLM2, special=["<|im_start|>", "<|im_end|>"])


def llama3() -> PreTrainedTokenizerFast:
    """Adds a BOS, which its template writes too."""
    return made(
        LLAMA3, special=["<|begin|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], before=["<|begin|>"]
    )


def llama3_without_bos_in_template() -> PreTrainedTokenizerFast:
    """Adds a BOS, which its template does not write."""
    return made(SMOLLM2, special=["<|begin|>", "<|im_start|>", "<|im_end|>"], before=["<|begin|>"])


def glm() -> PreTrainedTokenizerFast:
    """Adds two tokens, neither of them declared BOS, which its template writes too."""
    names = ["[gMASK]", "<sop>"]
    return made(GLM, special=[*names, "<|user|>", "<|assistant|>"], before=names)


def adds_eos() -> PreTrainedTokenizerFast:
    """Adds an EOS behind every text."""
    return made(SMOLLM2, special=["<|im_start|>", "<|im_end|>"], after=["<|end|>"])


def qwen3() -> PreTrainedTokenizerFast:
    """Its template thinks unless told not to; <think> is an added token that is not declared special."""
    tokenizer = made(QWEN3, special=["<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens(["<think>", "</think>"])
    return tokenizer


def legacy_llama(scheme: str = "prepend") -> PreTrainedTokenizerFast:
    """A sentencepiece Llama that puts a space in front of every text: by its normalizer, or by Metaspace (first, always)."""
    vocabulary = {name: number for number, name in enumerate(["<unk>", "<s>", "</s>"])}
    for name in (*(f"<0x{byte:02X}>" for byte in range(256)), *map(chr, range(33, 127)), "▁"):
        vocabulary.setdefault(name, len(vocabulary))
    merges = [("▁", letter) for letter in "TthcaoxwbIHsV"] + [("▁T", "h"), ("▁Th", "e"), ("▁t", "h"), ("▁", "▁")]
    for left, right in merges:
        vocabulary.setdefault(left + right, len(vocabulary))
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    core = Tokenizers(models.BPE(vocabulary, merges, unk_token=names["unk_token"], fuse_unk=True, byte_fallback=True))
    if scheme == "prepend":
        core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        core.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme, split=False)
    spaced = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    core.decoder = decoders.Sequence(spaced)
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=core, chat_template=LLAMA2, **names)  # type: ignore[no-untyped-call]


def made(
    template: str, *, special: list[str], before: list[str] | None = None, after: list[str] | None = None
) -> PreTrainedTokenizerFast:
    """A byte tokenizer with these special tokens (a first ``<|begin|>`` is the BOS), which adds some around every text."""
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    if "<|begin|>" in special:
        tokenizer.add_special_tokens({"bos_token": "<|begin|>"})
    around = [*(before or []), "$A", *(after or [])]
    names = [name for name in around if name != "$A"]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join(around), special_tokens=[(name, tokenizer.convert_tokens_to_ids(name)) for name in names]
    )
    tokenizer.chat_template = template
    return tokenizer


KINDS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    each.__name__: each
    for each in (smollm2, llama3, llama3_without_bos_in_template, glm, adds_eos, qwen3, legacy_llama)
}
