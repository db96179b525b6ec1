import { element } from '../dom.js'

/** @import { PlanResponse, UserResponse } from '../../../shared/contract.ts' */

/**
 * Form to book a plan for an account.
 *
 * @param {UserResponse} user
 * @param {readonly PlanResponse[]} plans
 * @param {(user: UserResponse, plan: string, end: string | null) => Promise<void>} book
 */
export function planForm(user, plans, book) {
  const select = element(
    'select',
    { name: 'plan' },
    ...plans.map(({ name, title }) =>
      element('option', { value: name, selected: name === user.plan }, title),
    ),
  )
  const until = element('input', { name: 'until', type: 'date' })
  const form = element(
    'form',
    { class: 'actions row' },
    element('label', {}, 'Plan', select),
    element('label', {}, 'Last day (empty: no end)', until),
    element('button', {}, 'Change plan'),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void book(user, select.value, until.value === '' ? null : endOfDay(until.value))
  })
  return form
}

/** Where the reader is. @param {string} day as a date field has it */
const endOfDay = (day) => new Date(`${day}T23:59:59`).toISOString()
