/** The file beside manifests that says which command stands for an image; not a manifest itself. */
export const IMAGES_FILE = 'pocketmesh.yaml'
