import { element, fieldsOf } from '../dom.js'
import {
  checkboxes,
  chosenOf,
  field,
  heading,
  namePattern,
  removeButton,
  unknownItem,
  workForm,
} from './catalogue-parts.js'
import { createList } from './list.js'
import { priceField, quotaField, titleField } from './plan-parts.js'
import { readAll } from './read-all.js'

/** @import { Page } from './admin.js' */
/** @import { AdminPlanResponse, FeatureItem } from '../../../shared/contract.ts' */

/** Of new plans; a catalogue file may name another. */
const currency = 'EUR'

const count = new Intl.NumberFormat()

/** @param {AdminPlanResponse} plan */
function price({ price_cents_per_month: cents, currency }) {
  return new Intl.NumberFormat(undefined, { style: 'currency', currency }).format(cents / 100)
}

/** @param {Page} page */
export async function showPlans({ api, call, attempt, say }) {
  const place = element('div')

  async function load() {
    const list = await createList({
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
    })
    place.replaceChildren(list)
  }

  const form = workForm(
    attempt,
    async (made) => {
      const {
        name = '',
        title = '',
        price_cents_per_month: cents,
        api_quota_per_hour: quota,
      } = fieldsOf(made)
      const body = {
        name,
        title,
        price_cents_per_month: Number(cents),
        api_quota_per_hour: Number(quota),
        features: [],
      }
      await api('POST /admin/plans', { body })
      made.reset()
      await load()
      say(`${title} is created, as the dearest plan and without a feature.`)
    },
    element(
      'div',
      { class: 'row' },
      field('Name, such as team', { name: 'name', pattern: namePattern, spellcheck: 'false' }),
      titleField(),
      priceField(currency),
      quotaField(),
      element('button', { class: 'primary' }, 'Create plan'),
    ),
  )
  await load()
  return element('div', { class: 'stack' }, element('h1', {}, 'Plans'), place, heading('New plan'), form)
}

/** Form to change a plan. @param {Page} page */
export async function showPlan({ api, call, attempt, say, subject }) {
  const [plans, features] = await Promise.all([
    readAll(call, 'GET /admin/plans'),
    readAll(call, 'GET /admin/features'),
  ])
  const plan = plans.find(({ name }) => name === subject)
  if (!plan) return unknownItem('plan')
  const { name, title } = plan
  const params = { name }
  const view = element('div', { class: 'stack' })

  const choices = featuresForm(plan, features, attempt, async (chosen) => {
    await api('PUT /admin/plans/{name}/features', { params, body: { features: chosen } })
    say(`${title} has ${chosen.length} features now.`)
  })
  const remove = () => api('DELETE /admin/plans/{name}', { params })
  view.append(
    element('h1', {}, title),
    termsForm(plan, attempt, async (body) => {
      await api('PATCH /admin/plans/{name}', { params, body })
      say(`${body.title} is saved.`)
    }),
    choices,
    element('div', {}, removeButton({ attempt, view, kind: 'plan', name, section: 'plans', remove })),
  )
  return view
}

/** @typedef {{ title: string, price_cents_per_month: number, api_quota_per_hour: number }} Terms */

/**
 * @param {AdminPlanResponse} plan
 * @param {Page['attempt']} attempt
 * @param {(terms: Terms) => Promise<void>} save
 */
function termsForm(plan, attempt, save) {
  return workForm(
    attempt,
    (form) => {
      const { title = '', price_cents_per_month: cents, api_quota_per_hour: quota } = fieldsOf(form)
      return save({ title, price_cents_per_month: Number(cents), api_quota_per_hour: Number(quota) })
    },
    element(
      'div',
      { class: 'row' },
      titleField(plan.title),
      priceField(plan.currency, plan.price_cents_per_month),
      quotaField(plan.api_quota_per_hour),
      element('button', { class: 'primary' }, 'Save'),
    ),
  )
}

/**
 * @param {AdminPlanResponse} plan
 * @param {FeatureItem[]} features
 * @param {Page['attempt']} attempt
 * @param {(chosen: string[]) => Promise<void>} save
 */
function featuresForm(plan, features, attempt, save) {
  return workForm(
    attempt,
    (form) => save(chosenOf(form, 'feature')),
    checkboxes('Features; a change reaches every subscriber at once', 'feature', features, plan.features),
    element('div', {}, element('button', { class: 'primary' }, 'Save features')),
  )
}
