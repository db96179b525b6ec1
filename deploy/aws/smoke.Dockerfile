# The smoke test as an image: docker build -f deploy/aws/smoke.Dockerfile .
FROM grafana/k6:2.2.0
COPY k6 /k6
CMD ["run", "--quiet", "/k6/scenarios/smoke.ts"]
