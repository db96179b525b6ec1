/** The response body of `GET /v1/reports`. */
export interface ReportsResponse {
  prepared_for: string
  plan: string
  reports: { name: string; unit: string }[]
}
