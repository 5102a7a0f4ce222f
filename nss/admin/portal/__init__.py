"""The portal: pages to set NSS up, watch it and change it in a browser."""
