# billrun alone: one static program in an otherwise empty image.
#
#   docker build -t billrun .
#   docker run --rm -v "$PWD:/models:ro" billrun /models/model.billb /models/clips.npy
FROM golang:1.26 AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /billrun ./cmd/billrun

FROM scratch
COPY --from=build /billrun /billrun
USER 65534
ENTRYPOINT ["/billrun"]
