/** The response body of `GET /v1/reports`. */
export interface ReportsAnswer {
  prepared_for: string
  plan: string
  reports: { name: string; unit: string }[]
}
