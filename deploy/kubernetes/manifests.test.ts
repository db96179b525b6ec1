import { globSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseEnv } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { gatewayVariables } from '../../gateway/config.ts'
import { compilePolicyWithFile } from '../../gateway/policy/policy-file.ts'
import { routes } from '../../gateway/routes.ts'
import { originVariables } from '../../origin/config.ts'
import { readConfig, type VariableName } from '../../shared/config.ts'
import { environmentOf, readDockerfile, stepsOf } from '../dockerfile.ts'
import { writeSecretFiles } from './secrets.ts'

interface Container {
  name: string
  image: string
  securityContext: unknown
}

interface Resource {
  kind: string
  metadata: { name: string }
  spec: {
    template: {
      spec: {
        terminationGracePeriodSeconds: number
        securityContext: unknown
        automountServiceAccountToken: boolean
        containers: Container[]
        initContainers?: Container[]
      }
    }
    minReplicas: number
    maxReplicas: number
    podSelector: unknown
    ingress: { from?: unknown[]; ports: unknown[] }[]
  }
}

const base = 'deploy/kubernetes/base'
const overlay = 'deploy/kubernetes/overlays/example'

const resources = globSync(`{${base},${overlay}}/*.yaml`)
  .filter((path) => !path.endsWith('kustomization.yaml'))
  .flatMap((path) =>
    parseAllDocuments(readFileSync(path, 'utf8')).map((document) => document.toJS() as Resource),
  )

function find(kind: string, name: string): Resource {
  const found = resources.find((each) => each.kind === kind && each.metadata.name === name)
  if (!found) throw new Error(`There is no ${kind} ${name}`)
  return found
}

const envFile = (...path: string[]) => parseEnv(readFileSync(join(...path), 'utf8'))

const workloads = resources.filter(({ kind }) => kind === 'Deployment' || kind === 'Job')
const podOf = ({ spec }: Resource) => spec.template.spec
const containersOf = (workload: Resource) => [
  ...podOf(workload).containers,
  ...(podOf(workload).initContainers ?? []),
]

const variablesOf: Record<string, readonly VariableName[]> = {
  gateway: gatewayVariables,
  origin: originVariables,
  prepare: ['DATABASE_URL', 'KEY_ENCRYPTION_KEY'],
  reports: ['ASSERTION_PUBLIC_JWKS'],
}

describe('the Kubernetes manifests', () => {
  test.each(workloads.map((workload) => [workload.metadata.name, workload] as const))(
    'run %s under the restricted pod security standard, on a read-only file system',
    (_, workload) => {
      expect(podOf(workload)).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      })
      for (const { securityContext } of containersOf(workload))
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
    },
  )

  test.each(['gateway', 'origin'])('give %s more time to stop than it takes to drain', (name) => {
    const { DRAIN_DELAY_SECONDS, DRAIN_SECONDS } = readConfig(
      ['DRAIN_DELAY_SECONDS', 'DRAIN_SECONDS'],
      envFile(base, `${name}.env`),
    )
    // Balancers need a moment to hear that a pod goes.
    expect(DRAIN_DELAY_SECONDS).toBeGreaterThan(0)
    expect(podOf(find('Deployment', name)).terminationGracePeriodSeconds).toBeGreaterThan(
      DRAIN_DELAY_SECONDS + DRAIN_SECONDS,
    )
  })

  test('set GATEWAY_REPLICAS to the least number of gateways that run', () => {
    const { GATEWAY_REPLICAS } = readConfig(['GATEWAY_REPLICAS'], envFile(base, 'gateway.env'))
    expect(GATEWAY_REPLICAS).toBe(find('HorizontalPodAutoscaler', 'gateway').spec.minReplicas)
  })

  test('let only gateways and pods with the label reach the origin', () => {
    expect(find('NetworkPolicy', 'nothing-else').spec).toMatchObject({
      podSelector: { matchLabels: { 'app.kubernetes.io/part-of': 'gatehouse' } },
      policyTypes: ['Ingress', 'Egress'],
    })
    expect(find('NetworkPolicy', 'nothing-else').spec.ingress).toBeUndefined()
    const [main, metrics, ...more] = find('NetworkPolicy', 'origin').spec.ingress
    expect(main?.ports).toEqual([{ port: 'http' }])
    expect(main?.from).toEqual([
      { podSelector: { matchLabels: { 'app.kubernetes.io/name': 'gateway' } } },
      { namespaceSelector: {}, podSelector: { matchLabels: { 'gatehouse/internal-service': 'true' } } },
    ])
    expect(metrics?.ports).toEqual([{ port: 'metrics' }])
    expect(more).toEqual([])
  })

  test.each(['gateway', 'origin'])('let monitoring alone read the metrics of %s', (name) => {
    const rules = find('NetworkPolicy', name).spec.ingress
    const [metrics, ...more] = rules.filter(({ ports }) => JSON.stringify(ports).includes('metrics'))
    expect(metrics).toEqual({
      from: [{ namespaceSelector: { matchLabels: { 'gatehouse/monitoring': 'true' } } }],
      ports: [{ port: 'metrics' }],
    })
    expect(more).toEqual([])
    for (const { ports } of rules) expect(ports).toHaveLength(1)
  })

  test('mount a policy file that the gateway accepts, from the folder that POLICY_FILE names', () => {
    const { POLICY_FILE, UPSTREAMS } = readConfig(
      ['POLICY_FILE', 'UPSTREAMS'],
      envFile(overlay, 'gateway.env'),
    )
    const text = readFileSync(join(overlay, 'policy/policy.yaml'), 'utf8')
    const compile = () =>
      compilePolicyWithFile(routes, { name: 'policy.yaml', text }, ['origin', ...Object.keys(UPSTREAMS)])
    expect(compile).not.toThrow()
    const { patches } = parse(readFileSync(join(overlay, 'kustomization.yaml'), 'utf8'))
    const [container] = podOf(parse(patches[0].patch)).containers
    expect(container).toMatchObject({ volumeMounts: [{ mountPath: dirname(POLICY_FILE ?? '') }] })
  })

  test('have components whose ports and labels are those of the base', () => {
    const read = (path: string) => parse(readFileSync(join('deploy/kubernetes/components', path), 'utf8'))
    const { spec } = read('pod-monitor/pod-monitor.yaml')
    const [selected] = spec.selector.matchExpressions
    for (const name of selected.values) {
      const { ports } = podOf(find('Deployment', name)).containers[0] as Container & { ports: unknown[] }
      expect(ports).toContainEqual(expect.objectContaining({ name: spec.podMetricsEndpoints[0].port }))
    }
    for (const component of ['pooler', 'traces'])
      expect(read(`${component}/network-policy.yaml`).spec.policyTypes).toEqual(['Egress'])
    for (const [component, name] of [
      ['pooler', 'pooler.env'],
      ['traces', 'traces.env'],
    ] as const)
      expect(() =>
        readConfig(['DATABASE_POOLER'], envFile('deploy/kubernetes/components', component, name)),
      ).not.toThrow()
    const mounts = read('certificates/kustomization.yaml').patches.map(({ patch }: { patch: string }) =>
      parse(patch),
    )
    expect(mounts.map(({ metadata }: Resource) => metadata.name)).toEqual(['gateway', 'origin', 'prepare'])
    for (const mount of mounts as Resource[])
      expect(
        containersOf(mount)
          .map(({ name }) => name)
          .toSorted(),
      ).toEqual(
        containersOf(find(mount.kind, mount.metadata.name))
          .map(({ name }) => name)
          .toSorted(),
      )
  })

  describe('with secrets of their own', () => {
    let folder: string
    const urls = {
      DATABASE_URL: 'postgres://gatehouse:x@postgres.example.com/gatehouse',
      REDIS_URL: 'rediss://redis.example.com:6379',
      SMTP_URL: 'smtps://mail.example.com:465',
    }
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'gatehouse-secrets-'))
      await writeSecretFiles(folder, urls)
    })
    afterAll(() => rm(folder, { recursive: true }))

    test.each(Object.keys(variablesOf))(
      'give %s a configuration that production accepts, without unused variables',
      (name) => {
        const files = globSync([`${base}/${name}.env`, `${overlay}/${name}.env`, `${folder}/${name}.env`])
        const both = name === 'gateway' || name === 'origin' ? envFile(overlay, 'both.env') : {}
        const given = Object.assign({}, both, ...files.map((file) => envFile(file)))
        const variables = variablesOf[name] ?? []
        const image = environmentOf(
          stepsOf(readDockerfile('Dockerfile'), name === 'prepare' ? 'command' : name),
        )
        expect(() => readConfig(variables, { ...image, ...given }, Object.keys(given))).not.toThrow()
        expect(Object.keys(given).filter((each) => !variables.includes(each as VariableName))).toEqual([])
      },
    )

    test('never write over secrets that are there', async () => {
      const before = await readdir(folder)
      await expect(writeSecretFiles(folder, urls)).rejects.toThrow(/EEXIST/)
      expect(await readdir(folder)).toEqual(before)
    })
  })
})
