import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { promtool, promtoolChecks } from '../../tools/servers/programs/promtool.ts'

interface Rules {
  groups: { rules: { alert: string; labels: { severity: string }; annotations: { runbook_url: string } }[] }[]
}

interface RuleTests {
  tests: { alert_rule_test: { alertname: string; exp_alerts?: object[] }[] }[]
}

const read = <Shape>(name: string) => parse(readFileSync(`deploy/monitoring/${name}`, 'utf8')) as Shape

const alerts = read<Rules>('alerts.yml').groups.flatMap(({ rules }) => rules)
const names = alerts.map(({ alert }) => alert).toSorted()
const expectations = read<RuleTests>('alerts.test.yml').tests.flatMap((each) => each.alert_rule_test)

const named = (isWanted: (expectation: (typeof expectations)[number]) => boolean) =>
  [...new Set(expectations.filter(isWanted).map(({ alertname }) => alertname))].toSorted()

describe('promtool', () => {
  // The first of them may fetch Prometheus.
  const checks = promtoolChecks.map((args) => ({ name: args.join(' '), args }))
  test.each(checks)('$name finds nothing wrong', { timeout: 120_000 }, async ({ args }) => {
    expect(await promtool(args)).toContain('SUCCESS')
  })
})

describe('every alert', () => {
  test('is seen firing in a test, and silent in another', () => {
    expect(names.length).toBeGreaterThan(15)
    expect(named(({ exp_alerts: fires = [] }) => fires.length > 0)).toEqual(names)
    expect(named(({ exp_alerts: fires = [] }) => fires.length === 0)).toEqual(names)
  })

  test('links to a heading of a runbook', () => {
    const anchors = [...readFileSync('docs/operations.md', 'utf8').matchAll(/^## (.+)$/gm)].map(
      ([, heading = '']) => `docs/operations.md#${heading.toLowerCase().replaceAll(' ', '-')}`,
    )
    const led = new Set(alerts.map(({ annotations }) => annotations.runbook_url))
    expect([...led].filter((url) => !anchors.includes(url))).toEqual([])
  })

  test('pages on call or waits for working hours', () => {
    for (const { labels } of alerts) expect(['page', 'ticket']).toContain(labels.severity)
  })
})
