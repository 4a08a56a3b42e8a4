"""Objective measures of sung phrases."""
