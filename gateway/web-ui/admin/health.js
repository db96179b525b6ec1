import { badge, element } from '../dom.js'

/** @import { Page } from './admin.js' */
/** @import { HealthResponse, HealthStatus } from '../../../shared/contract.ts' */

/** The gateway checks its parts at most once a second, whatever the number of viewers. */
const lookMs = 5000

/** @type {Record<HealthStatus, [text: string, mood: 'good' | 'warn' | 'bad']>} */
const words = { pass: ['Well', 'good'], warn: ['Less well', 'warn'], fail: ['Not well', 'bad'] }

/** @type {Record<string, string>} */
const names = {
  instance: 'This gateway',
  key_set: 'Signing keys',
  origin: 'Origin',
  limiter: 'Limits',
  revocations: 'Revocations',
}

/** Shows the current health while the view is open. @param {Page} page */
export async function showHealth({ left }) {
  const state = element('p', { role: 'status' })
  const asked = element('p', { class: 'quiet' })
  const checks = element('ul', { class: 'checks' })

  async function look() {
    const health = await readHealth()
    const shown = health ? words[health.status] : /** @type {const} */ (['Cannot be reached', 'bad'])
    // Announced to screen readers only when it changes.
    if (state.textContent !== shown[0]) state.replaceChildren(badge(shown[0], shown[1]))
    asked.textContent = `Asked at ${new Date().toLocaleTimeString()}, again every ${lookMs / 1000} s.`
    checks.replaceChildren(...Object.entries(health?.checks ?? {}).map(([name, check]) => card(name, check)))
  }

  await look()
  const looking = setInterval(() => {
    if (!document.hidden) void look()
  }, lookMs)
  left.addEventListener('abort', () => clearInterval(looking))
  return element(
    'div',
    { class: 'stack' },
    element('div', { class: 'row' }, element('h1', {}, 'Health'), state),
    asked,
    checks,
  )
}

/**
 * @returns {Promise<HealthResponse | undefined>} undefined without a response; 503 has a body as
 * well
 */
async function readHealth() {
  try {
    return await (await fetch('/health')).json()
  } catch {
    return undefined
  }
}

/** @param {string} name @param {HealthResponse['checks'][string]} check */
function card(name, { status, time_ms: time, detail }) {
  const [text, mood] = words[status]
  return element(
    'li',
    { class: 'card check' },
    element('div', { class: 'row between' }, element('h2', {}, names[name] ?? name), badge(text, mood)),
    element(
      'p',
      { class: 'quiet' },
      [detail, time === undefined ? undefined : `${time} ms`]
        .filter((part) => part !== undefined)
        .join(' · '),
    ),
  )
}
