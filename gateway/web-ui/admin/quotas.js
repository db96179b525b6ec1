import { element, fieldsOf } from '../dom.js'
import { createTable } from '../table.js'
import { minQuotaPerHour } from './plan-parts.js'
import { readAll } from './read-all.js'

/** @import { Page } from './admin.js' */
/** @import { QuotaItem } from '../../../shared/contract.ts' */

/**
 * The quotas of all plans, each with a form of its own.
 *
 * @param {Page} page
 */
export async function showQuotas({ api, call, attempt, say }) {
  const quotas = await readAll(call, 'GET /admin/quotas')

  /** @param {QuotaItem} quota */
  function row({ plan, title, api_quota_per_hour: value }) {
    const input = element('input', {
      name: 'quota',
      type: 'number',
      min: minQuotaPerHour,
      required: true,
      value,
      'aria-label': `Requests an hour on ${title}`,
    })
    const button = element('button', { 'aria-label': `Save the quota of ${title}` }, 'Save')
    const form = element('form', { class: 'row' }, input, button)
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      const { quota } = fieldsOf(form)
      attempt(async () => {
        const body = { api_quota_per_hour: Number(quota) }
        await api('PUT /admin/quotas/{plan}', { params: { plan }, body })
        say(`${title} allows ${quota} requests an hour now.`)
      })
    })
    return [element('a', { href: `#/plans/${plan}` }, title), form]
  }

  const { table, show } = createTable('Quotas, from the cheapest plan up', [
    { title: 'Plan' },
    { title: 'Requests an hour' },
  ])
  show(quotas.map(row))
  return element(
    'div',
    { class: 'stack' },
    element('h1', {}, 'Quotas'),
    element(
      'p',
      { class: 'quiet' },
      'Requests to the API in an hour. A change reaches every subscriber at once.',
    ),
    element('div', { class: 'card' }, element('div', { class: 'table' }, table)),
  )
}
