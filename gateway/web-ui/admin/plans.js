import { element, fieldsOf } from '../dom.js'
import { createList } from './list.js'

/** @import { Page } from './admin.js' */
/** @import { AdminPlanResponse, FeatureItem } from '../../../shared/contract.ts' */

/**
 * Browsers cannot import the contract; its type keeps the two numbers equal.
 *
 * @type {typeof import('../../../shared/contract/plan-administration.ts').minQuotaPerHour}
 */
const minQuotaPerHour = 60

const count = new Intl.NumberFormat()

/** @param {AdminPlanResponse} plan */
function price({ price_cents_per_month: cents, currency }) {
  return new Intl.NumberFormat(undefined, { style: 'currency', currency }).format(cents / 100)
}

/** @param {Page} page */
export async function showPlans({ call, attempt }) {
  return element(
    'div',
    { class: 'stack' },
    element('h1', {}, 'Plans'),
    await createList({
      call,
      attempt,
      list: 'GET /admin/plans',
      caption: 'Plans, from the cheapest up',
      empty: 'There is no plan.',
      columns: [
        {
          title: 'Plan',
          cell: ({ name, title }) => element('a', { href: `#/plans/${name}` }, title),
        },
        { title: 'Price a month', cell: price, isNumber: true },
        { title: 'Requests an hour', cell: (plan) => count.format(plan.api_quota_per_hour), isNumber: true },
        { title: 'Features', cell: ({ features }) => features.length, isNumber: true },
      ],
    }),
  )
}

/** Form to change a plan. @param {Page} page */
export async function showPlan({ api, attempt, say, subject }) {
  const [plans, features] = await Promise.all([
    api('GET /admin/plans', { query: { limit: 200 } }),
    api('GET /admin/features', { query: { limit: 200 } }),
  ])
  const plan = plans.items.find(({ name }) => name === subject)
  if (!plan) return element('div', { class: 'stack' }, element('h1', {}, 'There is no such plan'))
  const params = { name: plan.name }

  const terms = termsForm(plan)
  terms.addEventListener('submit', (event) => {
    event.preventDefault()
    const { title, price_cents_per_month: cents, api_quota_per_hour: quota } = fieldsOf(terms)
    attempt(async () => {
      const body = { title, price_cents_per_month: Number(cents), api_quota_per_hour: Number(quota) }
      await api('PATCH /admin/plans/{name}', { params, body })
      say(`${title} is saved.`)
    })
  })

  const choices = featuresForm(plan, features.items)
  choices.addEventListener('submit', (event) => {
    event.preventDefault()
    const chosen = new FormData(choices).getAll('feature').map(String)
    attempt(async () => {
      await api('PUT /admin/plans/{name}/features', { params, body: { features: chosen } })
      say(`${plan.title} has ${chosen.length} features now.`)
    })
  })

  return element('div', { class: 'stack' }, element('h1', {}, plan.title), terms, choices)
}

/** @param {AdminPlanResponse} plan */
function termsForm(plan) {
  /** @param {string} label @param {Record<string, string | number | boolean>} attributes */
  const field = (label, attributes) =>
    element('label', {}, label, element('input', { required: true, ...attributes }))
  return element(
    'form',
    { class: 'card form' },
    element(
      'div',
      { class: 'row' },
      field('Title', { name: 'title', value: plan.title, maxlength: 80 }),
      field(`Price a month, in hundredths of ${plan.currency}`, {
        name: 'price_cents_per_month',
        type: 'number',
        min: 0,
        value: plan.price_cents_per_month,
      }),
      field('Requests an hour', {
        name: 'api_quota_per_hour',
        type: 'number',
        min: minQuotaPerHour,
        value: plan.api_quota_per_hour,
      }),
      element('button', { class: 'primary' }, 'Save'),
    ),
  )
}

/** @param {AdminPlanResponse} plan @param {FeatureItem[]} features */
function featuresForm(plan, features) {
  return element(
    'form',
    { class: 'card form' },
    element(
      'fieldset',
      {},
      element('legend', {}, 'Features; a change reaches every subscriber at once'),
      element(
        'div',
        { class: 'choices' },
        ...features.map(({ name, description }) =>
          element(
            'label',
            { title: name },
            element('input', {
              type: 'checkbox',
              name: 'feature',
              value: name,
              checked: plan.features.includes(name),
            }),
            description,
          ),
        ),
      ),
    ),
    element('div', {}, element('button', { class: 'primary' }, 'Save features')),
  )
}
