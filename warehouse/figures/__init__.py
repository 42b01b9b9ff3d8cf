"""Figures: one function a figure, from a DataFrame to an Altair chart.

May import the warehouse's door and nothing of commands or report; needs the extra `report`, so
nobody imports it before a figure is asked for. Names of runs, params and classes stand in the
data and in titles, never in field names: whatever signs they hold, they are text.
"""
