# lungreg for CPUs, or for CUDA:
#   docker build -t lungreg .
#   docker build -t lungreg:cuda --build-arg DEVICE=cuda .
#   docker run --rm -v "$PWD:/data" -u "$(id -u):$(id -g)" lungreg demo
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
# cpu: PyTorch's CPU build; cuda: what PyPI has, which brings CUDA with it.
ARG DEVICE=cpu
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY .ci/constraints.txt .ci/
COPY src src
COPY notebooks notebooks
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN python -m venv /opt/lungreg \
  && pip=(/opt/lungreg/bin/python -m pip install --no-cache-dir --constraint .ci/constraints.txt) \
  && case "$DEVICE" in \
       cpu) "${pip[@]}" --index-url https://download.pytorch.org/whl/cpu torch ;; \
       cuda) "${pip[@]}" torch ;; \
       *) echo "DEVICE is cpu or cuda, got $DEVICE" >&2; exit 1 ;; \
     esac \
  && "${pip[@]}" ".[all]"

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="lungreg" \
  org.opencontainers.image.description="Register paired lung CT; research use only" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.source="https://github.com/lungreg/lungreg"
# KubeRay asks Ray for its health by wget.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends wget && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/lungreg /opt/lungreg
# Any uid may be given by -u: the home, for caches, is writable for all of them, as /tmp is.
RUN useradd --create-home --uid 10001 lungreg \
  && install --directory --mode=1777 /home/lungreg \
  && install --directory --owner=lungreg /data
ENV PATH=/opt/lungreg/bin:$PATH \
  HOME=/home/lungreg \
  PYTHONUNBUFFERED=1 \
  MPLBACKEND=Agg
USER 10001
WORKDIR /data
ENTRYPOINT ["lungreg"]
CMD ["--help"]
