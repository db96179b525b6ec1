import {
  adminPlanAnswer,
  bookedSubscriptionAnswer,
  changePlanBody,
  changeSubscriptionBody,
  featureItem,
  planFeaturesBody,
  plansAnswer,
  subscriptionAnswer,
  subscriptionFilters,
  subscriptionItem,
} from '../../../shared/contract.ts'
import { list, ok } from './answers.ts'
import type { Subject } from './contract.ts'

export const plans: Subject = {
  name: 'Plans',
  description: 'What can be booked, what is booked, and what it opens.',
  operations: {
    'GET /v1/plans': {
      id: 'listPlans',
      summary: 'The price list',
      answers: ok('The plans, from the cheapest up.', plansAnswer),
    },
    'GET /v1/subscription': {
      id: 'readSubscription',
      summary: 'What have I booked, and what would more bring?',
      description:
        '`plan` is what counts now, `booked_plan` what was booked: they differ while a subscription is past due, canceled or lapsed.',
      answers: ok('The subscription, and the plans above it.', subscriptionAnswer),
    },
  },
}

export const planAdministration: Subject = {
  name: 'Plans and subscriptions',
  description:
    'For people who run the product. A change reaches the tokens of all subscribers at once, as `claims_stale`.',
  operations: {
    'GET /admin/plans': {
      id: 'adminListPlans',
      summary: 'Plans, from the cheapest up',
      ...list(adminPlanAnswer),
    },
    'PATCH /admin/plans/{name}': {
      id: 'changePlan',
      summary: 'Change title, price or quota of a plan',
      body: changePlanBody,
      answers: ok('The plan as it is now.', adminPlanAnswer),
    },
    'PUT /admin/plans/{name}/features': {
      id: 'setPlanFeatures',
      summary: 'Say which features a plan has',
      body: planFeaturesBody,
      answers: ok('The plan as it is now.', adminPlanAnswer),
    },
    'GET /admin/features': { id: 'listFeatures', summary: 'All features', ...list(featureItem) },
    'GET /admin/subscriptions': {
      id: 'listSubscriptions',
      summary: 'Subscriptions, the newest first',
      ...list(subscriptionItem, subscriptionFilters),
    },
    'PUT /admin/users/{id}/subscription': {
      id: 'bookSubscription',
      summary: 'Book a plan for an account',
      body: changeSubscriptionBody,
      description:
        'Nobody books for their own account, or for one at or above their own level: `escalation_refused`.',
      answers: ok('The subscription as it is now.', bookedSubscriptionAnswer),
      problems: ['escalation_refused'],
    },
  },
}
