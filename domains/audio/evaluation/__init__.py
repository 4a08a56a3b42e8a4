"""Speech quality by DNSMOS, and plots of spectrograms."""
