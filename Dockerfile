# The HTTP service, `sdt serve`, on CPUs. See docs/serving.md.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
# The index of PyTorch's CPU builds; the default build includes gigabytes of CUDA libraries.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=serve,media,speech
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
RUN python -m venv --without-pip /opt/sdt
COPY constraints.txt ./
# PyTorch has its own layer, which is rebuilt only if constraints.txt changes.
RUN pip --python /opt/sdt/bin/python install --no-deps --index-url "${TORCH_INDEX}" --constraint constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY recipes recipes
COPY src src
# PyTorch's headers and tests are not needed at run time.
RUN pip --python /opt/sdt/bin/python install --constraint constraints.txt ".[${EXTRAS}]" \
    && rm -rf /opt/sdt/lib/python3*/site-packages/torch/include /opt/sdt/lib/python3*/site-packages/torch/test

FROM python:${PYTHON}
RUN useradd --system --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin sdt
COPY --from=build /opt/sdt /opt/sdt
# Nothing is downloaded at run time; custom models are mounted. On shared cores, spinning OpenMP threads slow down other
# processes.
ENV PATH=/opt/sdt/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp HF_HUB_OFFLINE=1 \
    OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=5)"]
ENTRYPOINT ["sdt"]
CMD ["serve", "--host", "0.0.0.0"]
