"""The one place that knows what Keras, TensorFlow and Hydra do not promise.

One function a capability; where a private name is gone, `Unsupported` says so.
May import: journal, system and errors.

What is changed for the whole process, by whom and for how long:

    a training optimizer's methods   keras_private.backend_neutral       while a step is traced
    how Keras makes a variable       keras_private.variables_made        while a model is built
    pfor's rules (a name each)       tensorflow_private.vectorize, teach to the end; only added
    TensorFlow's conv2d, max_pool    onednn_private.quick_kernels        while a program is traced
    gradients of oneDNN's ops        onednn_private.quick_kernels        to the end; only added
    op determinism, graph rewrites   devices.tensorflow_on               to the end; if asked for
    TensorFlow's own news            devices.mirrored                    to the end; if asked for
    what Hydra saves of a config     hydra_private.save_only_if          to the end
    what raylets have printed here   ray_private.silence_notices         to the end
    the package `hydra_plugins`      hydra_private.offer_plugins         to the end; only added
    numbers as tensors               engines.structure.member_number     to the end; only added
"""
