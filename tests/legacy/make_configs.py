"""Configurations of the fixtures, in the names of the version before."""

MEL = "{sample_rate: 8000, n_fft: 256, hop: 128, window: 256, n_mels: 10, fmax: 4000.0}"

OFFLINE = """
  class_path: oneleap.domains.rl.datamodule.OfflineData
  init_args: {path: data/transitions.hdf5, env: none, batch_size: 16, gamma: 0.95}"""
ROBOT = """
  class_path: oneleap.domains.robot.datamodule.Demonstrations
  init_args: {path: data/demos.hdf5, obs: [hand, object], chunk: 4, batch_size: 16, horizon: 20}"""
SEEN = """
  class_path: oneleap.domains.robot.datamodule.Demonstrations
  init_args:
    {path: data/demos.hdf5, obs: [hand], cameras: [eye_image], obs_steps: 2, chunk: 4,
     batch_size: 8}"""
SPEECH = f"""
  class_path: oneleap.domains.speech.datamodule.Speech
  init_args: {{path: [data/corpus], ipa: true, batch_size: 4, validation: 0.4, mel: {MEL}}}"""
SINGING = f"""
  class_path: oneleap.domains.singing.datamodule.Singing
  init_args: {{path: [data/songs], validation: 0.25, batch_size: 3, mel: {MEL}}}"""
MUSIC = f"""
  class_path: oneleap.domains.music.datamodule.Music
  init_args:
    {{path: [data/pieces], cache: cache, frames: 20, batch_size: 4, validation: 0.34,
     mel: {MEL}}}"""
CLIPS = f"""
  class_path: oneleap.domains.audio.clips.Clips
  init_args: {{path: [data/songs/wavs], seconds: 0.3, batch_size: 2, mel: {MEL}}}"""
SUNG = f"""
  class_path: oneleap.domains.audio.sung.SungClips
  init_args: {{path: [data/songs/wavs], seconds: 0.3, batch_size: 2, mel: {MEL}}}"""

ADAM = "{lr: 1.0e-2, warmup_steps: 3, cosine: true, clip: 1.0}"
ACTOR = "{lr: 4.0e-3, warmup_steps: 3, cosine: true, clip: 1.0}"
CRITIC = (
    f"width: 8, depth: 2, tau: 0.1, optimizer: {ACTOR}, critic_optimizer: {{lr: 3.0e-3}}, "
    "compile_loss: false"
)
AVERAGED = f"{CRITIC}, time_dim: 4, ema: 0.7, ema_start: 4, ema_every: 2"
TEXT = "{width: 4, depth: 1, heads: 1, hidden: 4, duration_width: 4}"
SPEAKS = f"""text: {TEXT}
    decoder:
      class_path: oneleap.domains.speech.net.ConvNeXt
      init_args: {{width: 8, depth: 1, expansion: 1}}
    crop_s: 0.3
    ema: 0.7
    optimizer: {ADAM}"""
LYNX = """decoder:
      class_path: oneleap.domains.singing.net.LYNX
      init_args: {width: 4, depth: 1, kernel: 3}"""
SIZE = "{width: 4, depth: 1, heads: 1, hidden: 4}"
DIT = """backbone:
      class_path: oneleap.domains.music.nets.DiT
      init_args: {width: 8, depth: 1, heads: 2, patch: 4}"""
JUDGED = "periods: [2], period_width: 4, windows: [256], window_width: 1, gan_from: 4"

RL_ALGORITHMS = {
    "rl_dql": ("dql.DQL", f"steps: 3, eta: 0.5, candidates: 6, {AVERAGED}"),
    "rl_fql": ("fql.FQL", f"alpha: 3.0, normalize_q: true, flow_steps: 3, {CRITIC}, time_dim: 4"),
    "rl_fbrac": ("fbrac.FBRAC", f"alpha: 2.0, steps: 3, {CRITIC}, time_dim: 4"),
    "rl_iql": ("iql.IQL", f"expectile: 0.8, beta: 2.0, spread: 0.5, {CRITIC}"),
    "rl_idql": (
        "idql.IDQL",
        f"steps: 3, expectile: 0.8, candidates: 6, ema: 0.7, {CRITIC}, time_dim: 4",
    ),
    "rl_rebrac": ("rebrac.ReBRAC", f"alpha: 0.1, beta: 0.2, actor_every: 2, {CRITIC}"),
}

MODELS: dict[str, tuple[str, str, str]] = {
    "rl_ofql": (
        "rl.ofql.OFQL",
        f"""objective:
      class_path: oneleap.core.objectives.MeanFlow
      init_args: {{pairs: {{p_equal: 0.5, deployed: [1], p_deployed: 0.25}}}}
    eta: 0.5
    critic_warmup: 2
    tau: 0.1
    max_q_backup: true
    backup_actions: 3
    width: 8
    depth: 2
    time_dim: 4
    layer_norm: true
    ema: 0.7
    ema_start: 4
    ema_every: 2
    temperature: 0.5
    optimizer: {ACTOR}
    critic_optimizer: {{lr: 3.0e-3}}
    compile_loss: false""",
        OFFLINE,
    ),
    "rl_bc": (
        "rl.policy.Policy",
        f"""objective: {{class_path: oneleap.core.objectives.MeanFlow}}
    residual: true
    time_dim: 4
    width: 8
    depth: 2
    ema: {{class_path: oneleap.core.ema.PowerEMA, init_args: {{sigma_rel: 0.1}}}}
    optimizer: {ADAM}
    compile_loss: false""",
        OFFLINE,
    ),
    "rl_bfq": (
        "rl.ofql.OFQL",
        f"""objective:
      class_path: oneleap.domains.rl.bfq.Bootstrap
      init_args:
        pairs:
          times: {{class_path: oneleap.core.times.Uniform}}
          p_equal: 0.5
          deployed: [1]
          p_deployed: 0.25
        offset: 1.0e-3
    width: 8
    depth: 2
    time_dim: 4
    ema: 0.7
    ema_start: 4
    ema_every: 2
    optimizer: {ADAM}
    compile_loss: false""",
        OFFLINE,
    ),
    "robot_dm1": (
        "robot.policy.RobotPolicy",
        f"""objective:
      class_path: oneleap.domains.robot.dm1.DM1
      init_args:
        layers: [mid]
        weight: 0.1
        dispersion: {{class_path: oneleap.core.dispersive.InfoNCECosine}}
        objective:
          class_path: oneleap.core.objectives.MeanFlow
          init_args:
            pairs: {{p_equal: 0.75, deployed: [1], p_deployed: 0.125}}
    head:
      class_path: oneleap.domains.robot.nets.MLPHead
      init_args: {{width: 16, embed_dim: 4}}
    execute: 3
    ema: 0.7
    temperature: 0.9
    optimizer: {ADAM}
    compile_loss: false""",
        ROBOT,
    ),
    "robot_image": (
        "robot.policy.RobotPolicy",
        f"""objective:
      class_path: oneleap.core.objectives.Shortcut
      init_args: {{steps: 4}}
    sampler:
      class_path: oneleap.core.samplers.Leap
      init_args: {{steps: 2}}
    head:
      class_path: oneleap.domains.robot.nets.MLPHead
      init_args: {{width: 8, embed_dim: 4}}
    vision: {{width: 4, heads: 1, blocks: 1, out_dim: 4}}
    gripper: threshold
    augment: 2
    ema: 0.7
    optimizer: {ADAM}
    compile_loss: false""",
        SEEN,
    ),
    "speech_flow": (
        "speech.acoustic.Acoustic",
        f"""objective: {{class_path: oneleap.core.objectives.FlowMatching}}
    sampler:
      class_path: oneleap.core.samplers.Euler
      init_args: {{steps: 4, guidance: 1.5}}
    drop: 0.3
    {SPEAKS}""",
        SPEECH,
    ),
    "speech_splitmeanflow": (
        "speech.acoustic.Acoustic",
        f"""objective:
      class_path: oneleap.core.objectives.SplitMeanFlow
      init_args:
        pairs:
          times: {{class_path: oneleap.core.times.Uniform}}
          p_equal: 0.5
          deployed: [1, 2]
          p_deployed: 0.5
        guidance: 1.5
    teacher: speech_flow/model
    from_teacher: true
    temperature: 0.8
    {SPEAKS}""",
        SPEECH,
    ),
    "singing_acoustic": (
        "singing.acoustic.Acoustic",
        f"""objective: {{class_path: oneleap.core.objectives.FlowMatching}}
    sampler:
      class_path: oneleap.domains.singing.samplers.Euler
      init_args: {{steps: 3, depth: 0.6}}
    depth: 0.6
    encoder: {SIZE}
    aux: {{width: 4, hidden: 4, depth: 1}}
    crop_s: 0.2
    ema: 0.7
    optimizer: {ADAM}
    {LYNX}""",
        SINGING,
    ),
    "singing_pitch": (
        "singing.curves.Curves",
        f"""objective:
      class_path: oneleap.core.objectives.SplitMeanFlow
      init_args:
        pairs:
          times: {{class_path: oneleap.core.times.Uniform}}
          p_equal: 0.5
          deployed: [1]
          p_deployed: 0.25
    names: [pitch]
    temperature: 0.3
    encoder: {SIZE}
    melody: {SIZE}
    bins: 2
    ema: 0.7
    optimizer: {ADAM}
    {LYNX}""",
        SINGING,
    ),
    "singing_durations": (
        "singing.durations.Durations",
        f"{{encoder: {SIZE}, depth: 1, ema: 0.7, optimizer: {ADAM}}}",
        SINGING,
    ),
    "music_flow": (
        "music.model.MusicModel",
        f"""objective:
      class_path: oneleap.core.objectives.FlowMatching
      init_args:
        times: {{class_path: oneleap.core.times.LogitNormal, init_args: {{mean: 0.8, std: 1.2}}}}
    drop: 0.3
    ema: 0.7
    optimizer: {ADAM}
    {DIT}""",
        MUSIC,
    ),
    "music_ctd": (
        "music.model.MusicModel",
        f"""objective:
      class_path: oneleap.core.objectives.ConsistencyTrajectory
      init_args: {{guidance: [1.0, 4.0]}}
    teacher: music_flow/model
    ema: 0.7
    optimizer: {ADAM}
    {DIT}""",
        MUSIC,
    ),
    "audio_vocos": (
        "audio.vocoder.VocoderTraining",
        f"{{width: 4, hidden: 4, depth: 1, {JUDGED}, optimizer: {ADAM}}}",
        CLIPS,
    ),
    "audio_nsf": (
        "audio.nsf_training.NSFTraining",
        f"{{width: 4, hidden: 4, depth: 1, ema: 0.9, {JUDGED}, optimizer: {ADAM}}}",
        SUNG,
    ),
} | {name: (f"rl.{c}", f"{{{args}}}", OFFLINE) for name, (c, args) in RL_ALGORITHMS.items()}

CONFIG = """# {name}, of a few weights.
model:
  class_path: oneleap.domains.{model}
  init_args:
    {arguments}
data: {data}
checkpoints: {{every_n_steps: 5}}
trainer:
  max_steps: 10
  log_every_n_steps: 1
  {validated}accelerator: cpu
"""
VALIDATED = "val_check_interval: 5\n  check_val_every_n_epoch: null\n  "
