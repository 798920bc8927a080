/** Addresses that exist within a mesh only. Those who give them and those who refuse to dial them agree here. */

/** Pods of mode `ns`, 10.244.0.0/16 and fd00:10:244::/64: Kubernetes' usual ranges. */
export const POD_PREFIX4 = '10.244.'
export const POD_PREFIX6 = 'fd00:10:244::'

/** Services, 240.240.0.0/16 and 2001:2::/48, as Istio gives ServiceEntries. */
export const VIRTUAL_PREFIX4 = '240.240.'
export const VIRTUAL_PREFIX6 = '2001:2::'
