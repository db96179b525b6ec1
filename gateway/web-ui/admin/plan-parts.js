/** Fields of plans. */

import { field } from './catalogue-parts.js'

/**
 * Browsers cannot import the contract; its type keeps the two numbers equal.
 *
 * @type {typeof import('../../../shared/contract/catalogue/fields.ts').minQuotaPerHour}
 */
export const minQuotaPerHour = 60

/** @param {string} [value] */
export const titleField = (value = '') => field('Title', { name: 'title', value, maxlength: 80 })

/** @param {string} currency @param {number} [value] */
export const priceField = (currency, value = 0) =>
  field(`Price a month, in hundredths of ${currency}`, {
    name: 'price_cents_per_month',
    type: 'number',
    min: 0,
    value,
  })

/** @param {number} [value] */
export const quotaField = (value = 1000) =>
  field('Requests an hour', { name: 'api_quota_per_hour', type: 'number', min: minQuotaPerHour, value })
